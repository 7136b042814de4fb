//! Handing the metrics of a short job to a Pushgateway.

mod group;

use std::time::Duration;

use ureq::http::StatusCode;

use crate::address::{below, has_fragment, without_secrets};
use crate::error_chain::debug_as_text;
use crate::metrics::{CONTENT_TYPE, render};

/// Less than an orchestrator waits before it kills.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most of an answer that is told, in bytes.
const MOST_TOLD: u64 = 1_024;

/// Pushes every metric of [`registry`](crate::metrics::registry) to a Pushgateway, once, as what is known of `job` from now on.
///
/// A job that ends before Prometheus comes by is never scraped; call this as the last thing it does. `gateway` is the gateway's
/// address, as in `http://pushgateway:9091`. With the job's name, the `labels` are the grouping key: whatever was pushed before
/// under the same key is replaced as a whole, and what was pushed under another stays
/// (<https://github.com/prometheus/pushgateway#put-method>). Leave out of them what differs from run to run, since the gateway
/// forgets nothing by itself.
///
/// A path of the address goes before the job's own, and a query behind it. The gateway is asked directly: proxies that the
/// environment names (`HTTP_PROXY` and the like) are not used.
///
/// It blocks its thread for 10 seconds at most; within async code call it by `tokio::task::spawn_blocking`. TLS is not spoken.
/// Services that stay are scraped, not pushed.
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
/// A [`PushError`] says what was wrong with the key, what the gateway answered, or why it did not. Nothing was pushed then, unless
/// the answer alone was lost.
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
        |source| PushError::Unreachable { gateway: shown.clone(), source: without_address(source) };
    // A redirected PUT would go on as a GET, whose answer says nothing of the metrics. A proxy of the environment is meant for
    // what is outside; the gateway is asked at its own address, as a collector is.
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build();
    let push = agent.new_agent().put(&url).content_type(CONTENT_TYPE);
    let mut answer = push.send(render()).map_err(unreachable)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.body_mut().with_config().limit(MOST_TOLD).read_to_string().unwrap_or_default();
    Err(PushError::Refused { gateway: shown.clone(), status, said: in_a_line(&body) })
}

/// What the client said, without the secrets of an address that it quotes.
fn without_address(error: ureq::Error) -> ureq::Error {
    match error {
        ureq::Error::BadUri(said) => ureq::Error::BadUri(without_secrets(&said)),
        other => other,
    }
}

fn in_a_line(text: &str) -> String {
    text.trim().replace(char::is_control, " ")
}

/// Why metrics were not pushed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The job has no name, by which the gateway keeps what it is given.
    #[error("the job's name is empty; expected a text such as \"nightly-summary\"")]
    EmptyJob,
    /// A grouping label has a name that Prometheus does not take.
    #[error(
        "invalid grouping label {name:?}; expected a letter or `_`, then letters, digits or `_`, and not `job`"
    )]
    Label {
        /// The name as it was given.
        name: String,
    },
    /// A grouping label is given twice.
    #[error("the grouping label `{name}` is given twice; expected each label once")]
    DuplicateLabel {
        /// The name that comes twice.
        name: String,
    },
    /// The gateway's address ends in a fragment, which HTTP does not send.
    #[error("{gateway} has a fragment (`#…`), which is never sent; expected an address without one")]
    Fragment {
        /// The gateway as it was given, without a user name, a password and a query.
        gateway: String,
    },
    /// The gateway wants TLS.
    #[error(
        "{gateway} is https, which is not spoken here; expected a gateway, or a proxy in front of it, at http://"
    )]
    Tls {
        /// The gateway as it was given, without a user name, a password and a query.
        gateway: String,
    },
    /// The gateway does not take the metrics.
    #[error("{gateway} refused the metrics with {status}{}{said}; nothing was pushed", if said.is_empty() { "" } else { ": " })]
    Refused {
        /// The gateway as it was given, without a user name, a password and a query.
        gateway: String,
        /// Its answer.
        status: StatusCode,
        /// How its answer goes on, in one line.
        said: String,
    },
    /// There is no such gateway, or it did not answer in time.
    #[error(
        "{gateway} cannot be reached; expected the address of a Pushgateway such as http://pushgateway:9091"
    )]
    Unreachable {
        /// The gateway as it was given, without a user name, a password and a query.
        gateway: String,
        /// What the client said, without a user name, a password and a query.
        source: ureq::Error,
    },
}

debug_as_text!(PushError);
