//! The order of levels in the label of the metrics.

use tracing::Level;

/// The index of `level` in [`LEVELS`](crate::families::process::LEVELS).
pub(crate) fn rank(level: Level) -> usize {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}
