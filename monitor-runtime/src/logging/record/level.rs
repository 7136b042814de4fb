//! The levels in the order of the metrics' label.

use tracing::Level;

/// The place of `level` in [`LEVELS`](crate::families::process::LEVELS).
pub(crate) fn rank(level: Level) -> usize {
    match level {
        Level::ERROR => 0,
        Level::WARN => 1,
        Level::INFO => 2,
        Level::DEBUG => 3,
        Level::TRACE => 4,
    }
}
