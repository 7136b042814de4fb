//! Helpers for tests of your own instrumented code.
//!
//! [`Recording`] measures the change of metrics, [`capture_logs`] captures log lines, and [`lint`] checks metrics
//! against Prometheus' conventions.

mod lint;
mod logs;
mod recording;

pub use lint::{LintRule, Problem, lint};
pub use logs::capture_logs;
#[cfg(feature = "__fuzzing")]
pub(crate) use logs::written;
pub use recording::Recording;
