//! Why a monitor was not built.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::cells::buckets::BucketError;
use crate::cells::native::NativeHistogramError;
use crate::error_chain::debug_as_text;
use crate::exposition::registration::Refusal;

/// What was given to a [`MonitorBuilder`](super::MonitorBuilder) that no monitor can be built of, and what is
/// accepted in its place.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two checks have one name.
    #[error("two checks are named `{name}`; expected a unique name for each check of a monitor")]
    DuplicateCheck {
        /// The name they share.
        name: String,
    },
    /// A check's name does not fit a metric label, a path and a JSON key alike.
    #[error(
        "invalid check name {name:?}; expected a lower-case letter, then up to 62 lower-case letters, digits, `-` or `_`"
    )]
    CheckName {
        /// The name as it was given.
        name: String,
    },
    /// A check has no time to run in.
    #[error("check `{check}` has a timeout of zero; expected a longer one, such as 5s")]
    ZeroTimeout {
        /// The check's name.
        check: String,
    },
    /// Checks would run without a pause.
    #[error("the check interval is zero; expected a longer one, such as 2s")]
    ZeroInterval,
    /// A check would run without a pause.
    #[error("check `{check}` has an interval of zero; expected a longer one, such as 2s")]
    ZeroCheckInterval {
        /// The check's name.
        check: String,
    },
    /// A check would turn without a run.
    #[error("check `{check}` has a {setting} of zero; expected at least 1 run")]
    ZeroThreshold {
        /// The check's name.
        check: String,
        /// The policy's method.
        setting: &'static str,
    },
    /// The bearer token would be known to everybody.
    #[error("the bearer token is empty; expected a secret, such as the output of `openssl rand -hex 32`")]
    EmptyToken,
    /// No request could carry the bearer token. The token itself is not said.
    #[error("the bearer token has a character that is not allowed; expected letters, digits and `-._~+/=`")]
    TokenCharacter,
    /// Requests in flight would have no time to finish.
    #[error("the shutdown timeout is zero; expected a longer one, such as 20s")]
    ZeroShutdownTimeout,
    /// A stop would take longer than the orchestrator waits for it.
    #[error(
        "a drain delay of {drain_delay:?} and a shutdown timeout of {shutdown_timeout:?} do not fit into the grace period of \
         {grace_period:?}; expected their sum to be below it: shorten one of them, or raise the orchestrator's grace period and set `grace_period` to it"
    )]
    GracePeriod {
        /// How long readiness answers 503 before the server stops accepting.
        drain_delay: Duration,
        /// How long requests and calls in flight may take from then on.
        shutdown_timeout: Duration,
        /// How long the orchestrator waits before it kills.
        grace_period: Duration,
    },
    /// A stop would have no time for its last log lines.
    #[error(
        "a drain delay of {drain_delay:?} and a shutdown timeout of {shutdown_timeout:?} leave {left:?} of the grace period of \
         {grace_period:?} for the last log lines; expected at least 1s: shorten one of them, or raise the orchestrator's grace period and set `grace_period` to it"
    )]
    LastLines {
        /// What is left.
        left: Duration,
        /// How long readiness answers 503 before the server stops accepting.
        drain_delay: Duration,
        /// How long requests and calls in flight may take from then on.
        shutdown_timeout: Duration,
        /// How long the orchestrator waits before it kills.
        grace_period: Duration,
    },
    /// A server would let nobody in.
    #[error(
        "the limit on connections is zero; expected at least 1, or no limit set: the free file descriptors then decide"
    )]
    ZeroConnections,
    /// Connections would be closed at once.
    #[error(
        "the {setting} of connections is zero; expected a longer one, such as 30s, or `Duration::MAX` for no limit"
    )]
    ZeroConnectionTimeout {
        /// The method of [`ConnectionLimits`](super::ConnectionLimits).
        setting: &'static str,
    },
    /// The runtime would count as wedged at once.
    #[error("the liveness threshold is zero; expected a longer one, such as 10s")]
    ZeroLivenessThreshold,
    /// The admin listener's address is not to be had.
    #[error(
        "{setting} cannot listen on {address}: {reason}; expected a free port of this machine, or port 0 for any"
    )]
    AdminAddress {
        /// The builder's method.
        setting: &'static str,
        /// The address as it was given.
        address: SocketAddr,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The admin listener's thread or runtime is not to be had.
    #[error("the admin listener cannot be started: {reason}")]
    AdminThread {
        /// What the operating system said.
        reason: io::Error,
    },
    /// Bucket bounds that make no histogram, or that come too late.
    #[error("invalid {setting}: {reason}")]
    Buckets {
        /// The builder's method.
        setting: &'static str,
        /// What is wrong with the bounds.
        reason: BucketError,
    },
    /// Native histograms that cannot be kept so, or that come too late.
    #[error("invalid native_histograms: {reason}")]
    NativeHistograms {
        /// What is wrong with them.
        reason: NativeHistogramError,
    },
    /// No series could be kept.
    #[error("the series limit is zero; expected at least 1 series a metric (2000 by default)")]
    ZeroSeriesLimit,
    /// The service's name is no Kubernetes label value.
    #[error(
        "invalid service name {name:?}; expected 1 to 63 letters, digits, `-`, `_` or `.`, the first and the last a letter or digit"
    )]
    ServiceName {
        /// The name as it was given.
        name: String,
    },
    /// The service's version is empty, which Prometheus takes for a missing label.
    #[error("the version of service `{service}` is empty; expected a text such as \"1.4.2\"")]
    EmptyVersion {
        /// The service's name.
        service: String,
    },
    /// A pool's name is empty, which Prometheus takes for a missing label.
    #[error("a pool's name is empty; expected a text such as \"main\"")]
    EmptyPoolName,
    /// Two pools have one name.
    #[error("two pools are named `{name}`; expected a unique name for each pool of a monitor")]
    DuplicatePool {
        /// The name they share.
        name: String,
    },
    /// The registry that was given has other metrics under our names.
    #[error(
        "the given registry refuses our metrics ({}); expected a registry without metrics of the same names",
        said(reason)
    )]
    Registry {
        /// What the registry said.
        reason: prometheus::Error,
    },
    /// The registry that was given puts a label on all metrics that one of ours has already.
    #[error(
        "the given registry puts the label `{label}` on every metric, and `{metric}` has a label of that name; expected \
         another name for the registry's label, such as `app_{label}`"
    )]
    RegistryLabel {
        /// The label's name.
        label: String,
        /// The first of our metrics that has it.
        metric: &'static str,
    },
    /// The registry that was given puts a prefix or a label on all metrics that Prometheus refuses.
    #[error(
        "the given registry puts the {what} {name:?} on every metric, which no scraper accepts; expected a name of letters, digits \
         and `_` that begins with neither a digit nor `__`"
    )]
    RegistryName {
        /// `prefix` or `label`.
        what: &'static str,
        /// The prefix, or the label's name.
        name: String,
    },
    /// A collector in the registry that was given panics, so nothing can be gathered from it.
    #[error(
        "a collector of the given registry panicked ({panic}); expected collectors that gather without a panic: fix the collector, or remove it from the registry"
    )]
    RegistryPanic {
        /// The panic's message.
        panic: String,
    },
}

debug_as_text!(BuildError);

impl From<Refusal> for BuildError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Name(reason) => Self::Registry { reason },
            Refusal::Label { label, metric } => Self::RegistryLabel { label, metric },
            Refusal::Unreadable { what, name } => Self::RegistryName { what, name },
            Refusal::Panic(panic) => Self::RegistryPanic { panic },
        }
    }
}

/// What the registry said, without the word that `prometheus` puts before it.
fn said(error: &prometheus::Error) -> String {
    match error {
        prometheus::Error::Msg(text) => text.clone(),
        other => other.to_string(),
    }
}
