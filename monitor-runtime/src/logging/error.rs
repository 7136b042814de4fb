//! Why logging did not start.

use std::io;
use std::time::Duration;

use tracing::subscriber::SetGlobalDefaultError;

use crate::error_chain::debug_as_text;

/// Why logging could not be initialised. Nothing has changed: nothing is installed, and no thread is left.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// The text that says what to log, from the environment or from [`LoggingBuilder::filter`](super::LoggingBuilder::filter).
    #[error(
        "{setting} is `{value}`, where {wrong}; expected a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), \
         or levels by target as in `info,sqlx=warn`"
    )]
    Filter {
        /// `LOG_LEVEL`, `RUST_LOG` or `filter`.
        setting: &'static str,
        /// The value it was set to.
        value: String,
        /// The part of it that cannot be read, and why.
        wrong: String,
    },
    /// `LOG_FORMAT` names no format.
    #[error("LOG_FORMAT is `{value}`; expected `json` or `pretty`")]
    Format {
        /// The value it was set to.
        value: String,
    },
    /// [`LoggingBuilder::queue_bytes`](super::LoggingBuilder::queue_bytes) was given 0, which would drop every line.
    #[error(
        "queue_bytes is 0; expected the size of the queue of log lines in bytes, at least 1 (8388608 by default)"
    )]
    QueueBytes,
    /// [`LoggingBuilder::rate_limit`](super::LoggingBuilder::rate_limit) was given no lines or no time.
    #[error(
        "rate_limit is {lines} lines per {per:?}; expected at least 1 line per a time longer than 0, as in \
         `rate_limit(10, Duration::from_secs(1))`"
    )]
    RateLimit {
        /// The lines it was given.
        lines: u32,
        /// The time it was given.
        per: Duration,
    },
    /// [`LoggingBuilder::redact`](super::LoggingBuilder::redact) was given a name of nothing or of white space.
    #[error(
        "redact has the name {name:?}; expected names of fields, as in `redact([\"password\", \"token\"])`"
    )]
    Redact {
        /// The value it was given.
        name: String,
    },
    /// [`LoggingBuilder::max_value_bytes`](super::LoggingBuilder::max_value_bytes) was given less than an id takes.
    #[error("max_value_bytes is {bytes}; expected at least {least}, so that ids stay whole")]
    MaxValueBytes {
        /// The value it was given.
        bytes: usize,
        /// The least it takes.
        least: usize,
    },
    /// Logging was initialised before.
    #[error(
        "logging is initialised already; keep the guard of the first `init` and call it once, in `main`, or add this output to other layers with `Logging::builder().layer()`"
    )]
    AlreadyInitialised,
    /// The process has a `tracing` subscriber that is not ours.
    #[error(
        "another tracing subscriber is installed already; add `Logging::builder().layer()` to it, or call `logging::init` instead of installing the other"
    )]
    SubscriberInstalled(#[source] SetGlobalDefaultError),
    /// The operating system gave no thread to write the lines.
    #[error("the thread that writes log lines could not be started")]
    Thread(#[source] io::Error),
}

debug_as_text!(LoggingError);
