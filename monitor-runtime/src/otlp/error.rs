//! Why the export did not start.

use std::io;

use crate::error_chain::debug_as_text;

/// Why nothing is exported. Nothing has been started then.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// A variable has a value that cannot be used.
    #[error("{variable} is `{value}`; expected {expected}")]
    Setting {
        /// The variable, or the builder's method that was given the value.
        variable: String,
        /// What it was set to.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// A list of `key=value` cannot be read. What it says is not repeated: headers hold secrets.
    #[error(
        "{variable} cannot be read: {wrong}; expected `key=value`, with commas between several, percent-encoded"
    )]
    Pairs {
        /// The variable.
        variable: String,
        /// Which member of the list is wrong, and why.
        wrong: String,
    },
    /// The operating system gave no thread to export on.
    #[error("the thread that exports {signal} could not be started")]
    Thread {
        /// `traces` or `metrics`.
        signal: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

debug_as_text!(OtlpError);
