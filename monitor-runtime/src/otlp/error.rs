//! The error of a start of the export.

use std::io;

use crate::error_chain::debug_as_text;

/// The reason why the export did not start. Nothing has been started then.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// A variable has an invalid value.
    #[error("{variable} is `{value}`; expected {expected}")]
    Setting {
        /// The variable, or the builder's method that was given the value.
        variable: String,
        /// Its value.
        value: String,
        /// The accepted values.
        expected: &'static str,
    },
    /// A list of `key=value` cannot be parsed. The error does not repeat its text, since headers hold secrets.
    #[error(
        "{variable} cannot be read: {wrong}; expected comma-separated `key=value` pairs, percent-encoded"
    )]
    Pairs {
        /// The variable.
        variable: String,
        /// The invalid member of the list, and the reason.
        wrong: String,
    },
    /// A file with a certificate or a key is unusable.
    #[error("{setting} is `{path}`, which {wrong}; expected a PEM file with a certificate or a private key")]
    File {
        /// The variable, or the builder's method that was given the path.
        setting: String,
        /// The path.
        path: String,
        /// The reason.
        wrong: String,
    },
    /// The operating system could not start the exporting thread.
    #[error("the thread that exports {signal} could not be started")]
    Thread {
        /// `traces` or `metrics`.
        signal: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

debug_as_text!(OtlpError);
