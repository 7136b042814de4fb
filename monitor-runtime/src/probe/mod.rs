//! Asking an endpoint from within a container that has no `curl`.
//!
//! Written by hand: `ureq` would add 4 crates and 425 kB to the executable, and hides an answer that is not HTTP.

mod exchange;
mod target;

use crate::error_chain::debug_as_text;
use std::io;
use std::time::{Duration, Instant};

use exchange::Answer;
use target::Target;

/// Below the five seconds that ECS gives a health check by default, so that the reason is still told.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks a health endpoint, and says whether it answers 200.
///
/// The URL is `http://host[:port][/path][?query]`; the host is a name, an IPv4 address, or an IPv6 address in brackets. Of
/// a name's addresses each is tried in turn. It blocks its thread for three seconds at most, looking up the name
/// included.
///
/// Made for a container's own health check, where no `curl` is installed: the service's executable asks the service.
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
///     // … and else the service.
///     ExitCode::SUCCESS
/// }
/// ```
///
/// # Errors
///
/// A [`ProbeError`] says what was answered in place of 200, or why there was no answer.
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

/// Why a [`probe`] was not answered by 200.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is nothing that could be asked.
    #[error("invalid URL {url:?}: {reason}; expected one such as http://127.0.0.1:3000/health/live")]
    Url {
        /// The URL as it was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody answers there: unknown, refused, or ended before an answer.
    #[error("{url} is unreachable: {reason}")]
    Unreachable {
        /// The URL as it was given.
        url: String,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The answer did not come in time.
    #[error("{url} did not answer within {after:?}")]
    TimedOut {
        /// The URL as it was given.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// The answer is another than 200.
    #[error("{url} answered {status}{}", quoted(body))]
    Answered {
        /// The URL as it was given.
        url: String,
        /// The status code.
        status: u16,
        /// How the body begins; control characters are replaced.
        body: String,
    },
    /// What answers does not speak HTTP.
    #[error("{url} did not answer in HTTP{}", quoted(said))]
    NotHttp {
        /// The URL as it was given.
        url: String,
        /// How the answer begins; control characters are replaced.
        said: String,
    },
}

debug_as_text!(ProbeError);

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
