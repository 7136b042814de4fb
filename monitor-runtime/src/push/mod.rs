//! Pushes the metrics of a short job to a Pushgateway.

mod group;

use std::time::Duration;

use ureq::http::StatusCode;

use crate::address::{below, has_fragment, without_secrets};
use crate::error_chain::debug_as_text;
use crate::exposition::format::TEXT_CONTENT_TYPE;
use crate::exposition::scrape_registry::ScrapeRegistry;

/// Shorter than an orchestrator's grace period before it kills.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum length of an answer in an error, in bytes.
const MOST_TOLD: u64 = 1_024;

/// Pushes every metric of [`registry`](crate::metrics::registry) to a Pushgateway, once, under the name `job`.
///
/// A job that ends before the next scrape is never scraped; call this as the last thing the job does. Long-running
/// services are scraped, not pushed.
///
/// `gateway` is the gateway's address, such as `http://pushgateway:9091`. A path of the address goes before the job's
/// own, and a query after it. TLS is not supported. The connection is direct: the proxies of the environment
/// (`HTTP_PROXY` and the like) are not used.
///
/// The job's name and the `labels` are the grouping key. The push replaces everything that was pushed under the same
/// key, and nothing under other keys (<https://github.com/prometheus/pushgateway#put-method>). Use no labels that
/// differ from run to run, since the gateway never forgets a key by itself.
///
/// It blocks its thread for at most 10 seconds; in async code call it through `tokio::task::spawn_blocking`.
///
/// ```no_run
/// use monitor_runtime::{metrics, track_agent};
///
/// #[track_agent]
/// fn summarise_the_night() {}
///
/// fn main() -> Result<(), metrics::PushError> {
///     summarise_the_night();
///     metrics::push_once("http://pushgateway:9091", "nightly-summary", &[("region", "eu")])
/// }
/// ```
///
/// # Errors
///
/// Returns a [`PushError`] if the key or the address is invalid, if the gateway refuses the metrics, or if it cannot be
/// reached in time. Nothing was pushed then, unless only the answer was lost.
pub fn push_once(gateway: &str, job: &str, labels: &[(&str, &str)]) -> Result<(), PushError> {
    let shown = without_secrets(gateway);
    if gateway.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")) {
        return Err(PushError::Tls { gateway: shown });
    }
    if has_fragment(gateway) {
        return Err(PushError::Fragment { gateway: shown });
    }
    let url = below(gateway, &group::path(job, labels)?);
    let unreachable =
        |source| PushError::Unreachable { gateway: shown.clone(), source: without_address(source).into() };
    // A redirected PUT would become a GET, whose answer tells nothing about the metrics. A proxy of the environment is
    // meant for outside addresses; the gateway is internal, like a collector.
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build();
    let push = agent.new_agent().put(&url).content_type(TEXT_CONTENT_TYPE);
    let mut answer = push.send(ScrapeRegistry::process().render()).map_err(unreachable)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.body_mut().with_config().limit(MOST_TOLD).read_to_string().unwrap_or_default();
    Err(PushError::Refused { gateway: shown.clone(), status, said: in_a_line(&body) })
}

/// Removes the secrets of an address that the client's error quotes.
fn without_address(error: ureq::Error) -> ureq::Error {
    match error {
        ureq::Error::BadUri(said) => ureq::Error::BadUri(without_secrets(&said)),
        other => other,
    }
}

fn in_a_line(text: &str) -> String {
    text.trim().replace(char::is_control, " ")
}

/// The reason why metrics were not pushed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The job's name, which is part of the grouping key, is empty.
    #[error("the job's name is empty; expected a text such as \"nightly-summary\"")]
    EmptyJob,
    /// A grouping label has a name that Prometheus does not accept.
    #[error(
        "invalid grouping label {name:?}; expected a letter or `_`, then letters, digits or `_`, and not `job`"
    )]
    Label {
        /// The name, as given.
        name: String,
    },
    /// A grouping label is given twice.
    #[error("the grouping label `{name}` is given twice; expected each label once")]
    DuplicateLabel {
        /// The name that occurs twice.
        name: String,
    },
    /// The gateway's address ends in a fragment, which HTTP does not send.
    #[error("{gateway} has a fragment (`#…`), which is never sent; expected an address without one")]
    Fragment {
        /// The gateway's address, without its user name, password and query.
        gateway: String,
    },
    /// The address is https; TLS is not supported.
    #[error(
        "{gateway} is https, which is not supported; expected a gateway, or a proxy in front of it, at http://"
    )]
    Tls {
        /// The gateway's address, without its user name, password and query.
        gateway: String,
    },
    /// The gateway refused the metrics.
    #[error("{gateway} refused the metrics with {status}{}{said}; nothing was pushed", if said.is_empty() { "" } else { ": " })]
    Refused {
        /// The gateway's address, without its user name, password and query.
        gateway: String,
        /// The status of its answer.
        status: StatusCode,
        /// The body of its answer, in one line.
        said: String,
    },
    /// The gateway cannot be reached, or did not answer in time.
    #[error(
        "{gateway} cannot be reached; expected the address of a Pushgateway such as http://pushgateway:9091"
    )]
    Unreachable {
        /// The gateway's address, without its user name, password and query.
        gateway: String,
        /// The reason, without a user name, a password and a query.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

debug_as_text!(PushError);
