//! Helpers for tests of your own instrumented code.
//!
//! [`Recording`] measures the change of metrics, [`capture_logs`] and [`capture_logs_async`] capture log lines, and
//! [`lint`] checks metrics against Prometheus' conventions.

mod lint;
mod logs;
mod recording;

pub use lint::{LintRule, Problem, lint};
#[cfg(feature = "__fuzzing")]
pub(crate) use logs::written;
pub use logs::{capture_logs, capture_logs_async};
pub use recording::Recording;
