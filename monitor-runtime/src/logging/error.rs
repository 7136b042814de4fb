//! The error of initialising logging.

use std::io;
use std::time::Duration;

use tracing::subscriber::SetGlobalDefaultError;

use crate::error_chain::debug_as_text;

/// Why logging could not be initialised. Nothing has changed then: nothing is installed, and no thread is running.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// The filter is invalid, in the environment or in [`LoggingBuilder::filter`](super::LoggingBuilder::filter).
    #[error(
        "{setting} is `{value}`, where {wrong}; expected a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), \
         or levels by target as in `info,sqlx=warn`"
    )]
    Filter {
        /// `LOG_LEVEL`, `RUST_LOG` or `filter`.
        setting: &'static str,
        /// Its value.
        value: String,
        /// The invalid part, and the reason.
        wrong: String,
    },
    /// `LOG_FORMAT` is not a known format.
    #[error("LOG_FORMAT is `{value}`; expected `json` or `pretty`")]
    Format {
        /// Its value.
        value: String,
    },
    /// The argument of [`LoggingBuilder::queue_bytes`](super::LoggingBuilder::queue_bytes) is 0, which would drop every
    /// line.
    #[error(
        "queue_bytes is 0; expected the size of the queue of log lines in bytes, at least 1 (8388608 by default)"
    )]
    QueueBytes,
    /// An argument of [`LoggingBuilder::rate_limit`](super::LoggingBuilder::rate_limit) is zero.
    #[error(
        "rate_limit is {lines} lines per {per:?}; expected at least 1 line per a time longer than 0, as in \
         `rate_limit(10, Duration::from_secs(1))`"
    )]
    RateLimit {
        /// The given number of lines.
        lines: u32,
        /// The given period.
        per: Duration,
    },
    /// A name given to [`LoggingBuilder::redact`](super::LoggingBuilder::redact) is empty or white space.
    #[error(
        "redact has the name {name:?}; expected names of fields, as in `redact([\"password\", \"token\"])`"
    )]
    Redact {
        /// The given name.
        name: String,
    },
    /// The argument of [`LoggingBuilder::max_value_bytes`](super::LoggingBuilder::max_value_bytes) is too small for an
    /// id.
    #[error("max_value_bytes is {bytes}; expected at least {least}, so that ids stay whole")]
    MaxValueBytes {
        /// The given number of bytes.
        bytes: usize,
        /// The minimum.
        least: usize,
    },
    /// Logging is already initialised.
    #[error(
        "logging is initialised already; keep the guard of the first `init` and call it once, in `main`, or add this output to other layers with `Logging::builder().layer()`"
    )]
    AlreadyInitialised,
    /// The process already has another `tracing` subscriber.
    #[error(
        "another tracing subscriber is installed already; add `Logging::builder().layer()` to it, or call `logging::init` instead of installing the other"
    )]
    SubscriberInstalled(#[source] SetGlobalDefaultError),
    /// The operating system could not start the writer thread.
    #[error("the thread that writes log lines could not be started")]
    Thread(#[source] io::Error),
}

debug_as_text!(LoggingError);
