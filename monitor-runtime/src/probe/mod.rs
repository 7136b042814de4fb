//! A minimal HTTP client for the health check of a container without `curl`.
//!
//! Written by hand: `ureq` would add 4 crates and 425 kB to the executable, and hides an answer that is not HTTP.

mod exchange;
mod target;

use crate::error_chain::debug_as_text;
use std::io;
use std::time::{Duration, Instant};

use exchange::Answer;
use target::Target;

/// Less than the default timeout of a health check on ECS (5 seconds), so the reason of a failure is still printed.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Requests a health endpoint and succeeds if it answers 200.
///
/// The URL is `http://host[:port][/path][?query]`; the host is a name, an IPv4 address, or an IPv6 address in brackets.
/// All addresses of a name are tried in turn. It blocks its thread for at most three seconds, including the look-up of
/// the name.
///
/// It is meant for the health check of a container without `curl`: the service's own executable probes the service.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use monitor_runtime::health::probe;
///
/// fn main() -> ExitCode {
///     if std::env::args().nth(1).as_deref() == Some("--probe") {
///         return match probe("http://127.0.0.1:3000/health/live") {
///             Ok(()) => ExitCode::SUCCESS,
///             Err(error) => {
///                 eprintln!("{error}");
///                 ExitCode::FAILURE
///             }
///         };
///     }
///     // … otherwise, run the service.
///     ExitCode::SUCCESS
/// }
/// ```
///
/// # Errors
///
/// Returns a [`ProbeError`] with the answer instead of 200, or the reason why there was none.
pub fn probe(url: &str) -> Result<(), ProbeError> {
    let target = Target::parse(url).map_err(|reason| ProbeError::Url { url: url.into(), reason })?;
    let deadline = Instant::now() + TIMEOUT;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            ProbeError::TimedOut { url: url.into(), after: TIMEOUT }
        }
        _ => ProbeError::Unreachable { url: url.into(), reason: error },
    };
    match exchange::ask(&target, deadline).map_err(failed)? {
        Answer::Http { status: 200, .. } => Ok(()),
        Answer::Http { status, body } => Err(ProbeError::Answered { url: url.into(), status, body }),
        Answer::Other(said) => Err(ProbeError::NotHttp { url: url.into(), said }),
    }
}

/// Why a [`probe`] failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The URL is invalid.
    #[error("invalid URL {url:?}: {reason}; expected one such as http://127.0.0.1:3000/health/live")]
    Url {
        /// The URL, as given.
        url: String,
        /// Why it is invalid.
        reason: &'static str,
    },
    /// The endpoint cannot be reached: the name is unknown, the connection was refused, or it ended before an answer.
    #[error("{url} is unreachable: {reason}")]
    Unreachable {
        /// The URL, as given.
        url: String,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The answer did not arrive in time.
    #[error("{url} did not answer within {after:?}")]
    TimedOut {
        /// The URL, as given.
        url: String,
        /// The timeout.
        after: Duration,
    },
    /// The status of the answer is not 200.
    #[error("{url} answered {status}{}", quoted(body))]
    Answered {
        /// The URL, as given.
        url: String,
        /// The status code.
        status: u16,
        /// The beginning of the body, with control characters replaced by spaces.
        body: String,
    },
    /// The server does not answer in HTTP.
    #[error("{url} did not answer in HTTP{}", quoted(said))]
    NotHttp {
        /// The URL, as given.
        url: String,
        /// The beginning of the answer, with control characters replaced by spaces.
        said: String,
    },
}

debug_as_text!(ProbeError);

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
