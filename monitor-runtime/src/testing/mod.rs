//! For people who test their own instrumented code: what a piece of code changed in the metrics, and what it logged.

mod logs;
mod recording;

pub use logs::capture_logs;
pub use recording::Recording;
