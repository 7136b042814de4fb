//! For people who test their own instrumented code: what a piece of code changed in the metrics, and what it logged; and
//! whether their metrics are as Prometheus wants them.

mod lint;
mod logs;
mod recording;

pub use lint::{LintRule, Problem, lint};
pub use logs::capture_logs;
#[cfg(feature = "__fuzzing")]
pub(crate) use logs::written;
pub use recording::Recording;
