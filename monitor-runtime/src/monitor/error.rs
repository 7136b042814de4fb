//! Errors of building a monitor.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error_chain::debug_as_text;
use crate::exposition::registration::Refusal;

/// Why a [`MonitorBuilder`](super::MonitorBuilder) could not build a monitor. The message also says what is accepted
/// instead.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two checks have the same name.
    #[error("two checks are named `{name}`; expected a unique name for each check of a monitor")]
    DuplicateCheck {
        /// The shared name.
        name: String,
    },
    /// A check's name does not fit a metric label, a path and a JSON key alike.
    #[error(
        "invalid check name {name:?}; expected a lower-case letter, then up to 62 lower-case letters, digits, `-` or `_`"
    )]
    CheckName {
        /// The refused name.
        name: String,
    },
    /// A check's timeout is zero.
    #[error("check `{check}` has a timeout of zero; expected a longer one, such as 5s")]
    ZeroTimeout {
        /// The check's name.
        check: String,
    },
    /// The monitor's check interval is zero.
    #[error("the check interval is zero; expected a longer one, such as 2s")]
    ZeroInterval,
    /// A check's own interval is zero.
    #[error("check `{check}` has an interval of zero; expected a longer one, such as 2s")]
    ZeroCheckInterval {
        /// The check's name.
        check: String,
    },
    /// A check's threshold is zero runs.
    #[error("check `{check}` has a {setting} of zero; expected at least 1 run")]
    ZeroThreshold {
        /// The check's name.
        check: String,
        /// The method of the policy.
        setting: &'static str,
    },
    /// The bearer token is empty.
    #[error("the bearer token is empty; expected a secret, such as the output of `openssl rand -hex 32`")]
    EmptyToken,
    /// The bearer token has a character that a request cannot carry. The message does not show the token.
    #[error("the bearer token has a character that is not allowed; expected letters, digits and `-._~+/=`")]
    TokenCharacter,
    /// The base path is not one or more valid segments, each after a `/`.
    #[error(
        "invalid base path {path:?}; expected one or more segments of letters, digits and `-._~`, each after a `/`, such as `/internal`"
    )]
    BasePath {
        /// The refused path.
        path: String,
    },
    /// The shutdown timeout is zero.
    #[error("the shutdown timeout is zero; expected a longer one, such as 20s")]
    ZeroShutdownTimeout,
    /// Drain delay and shutdown timeout take all of the grace period, so the orchestrator would kill the process.
    #[error(
        "a drain delay of {drain_delay:?} and a shutdown timeout of {shutdown_timeout:?} do not fit into the grace period of \
         {grace_period:?}; expected their sum to be below it: shorten one of them, or raise the orchestrator's grace period and set `grace_period` to it"
    )]
    GracePeriod {
        /// How long readiness answers 503 before the server stops accepting.
        drain_delay: Duration,
        /// How long requests and calls in flight may take afterwards.
        shutdown_timeout: Duration,
        /// How long the orchestrator waits before it kills the process.
        grace_period: Duration,
    },
    /// Drain delay and shutdown timeout leave less than a second of the grace period for the last log lines.
    #[error(
        "a drain delay of {drain_delay:?} and a shutdown timeout of {shutdown_timeout:?} leave {left:?} of the grace period of \
         {grace_period:?} for the last log lines; expected at least 1s: shorten one of them, or raise the orchestrator's grace period and set `grace_period` to it"
    )]
    LastLines {
        /// The rest of the grace period.
        left: Duration,
        /// How long readiness answers 503 before the server stops accepting.
        drain_delay: Duration,
        /// How long requests and calls in flight may take afterwards.
        shutdown_timeout: Duration,
        /// How long the orchestrator waits before it kills the process.
        grace_period: Duration,
    },
    /// The limit on connections is zero.
    #[error(
        "the limit on connections is zero; expected at least 1, or no limit set: the free file descriptors then decide"
    )]
    ZeroConnections,
    /// A timeout of connections is zero.
    #[error(
        "the {setting} of connections is zero; expected a longer one, such as 30s, or `Duration::MAX` for no limit"
    )]
    ZeroConnectionTimeout {
        /// The method of [`ConnectionLimits`](super::ConnectionLimits).
        setting: &'static str,
    },
    /// The liveness threshold is zero.
    #[error("the liveness threshold is zero; expected a longer one, such as 10s")]
    ZeroLivenessThreshold,
    /// The admin listener cannot listen on its address.
    #[error(
        "{setting} cannot listen on {address}: {reason}; expected a free port of this machine, or port 0 for any"
    )]
    AdminAddress {
        /// The method of the builder.
        setting: &'static str,
        /// The requested address.
        address: SocketAddr,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The thread or the runtime of the admin listener cannot be started.
    #[error("the admin listener cannot be started: {reason}")]
    AdminThread {
        /// The error of the operating system.
        reason: io::Error,
    },
    /// There is a live page and no admin listener to serve it.
    #[cfg(feature = "dashboard")]
    #[error("the live page has no listener; set `admin_port`, `admin_address` or `Dashboard::on_main_port`")]
    DashboardListener,
    /// The live page is to be on the main port, which everybody reaches, and there is no token.
    #[cfg(feature = "dashboard")]
    #[error("the live page on the main port would be open to everybody who reaches it; set `bearer_token`")]
    DashboardToken,
    /// A host of the live page is not a name, for example an address with a scheme or a port.
    #[cfg(feature = "dashboard")]
    #[error(
        "invalid host {name:?} of the live page; expected a name without scheme and port, such as `ops.example.com`"
    )]
    DashboardHost {
        /// The refused name.
        name: String,
    },
    /// A peer is no address with a port, and no host with one.
    #[cfg(feature = "dashboard")]
    #[error(
        "invalid peer {given:?}; expected an address or a host with a port from 1 to 65535, such as `10.0.0.7:8081`, `[::1]:8081` or `agents.internal:8081`"
    )]
    Peer {
        /// The refused peer.
        given: String,
    },
    /// There are settings of peers, and no peer.
    #[cfg(feature = "dashboard")]
    #[error(
        "the list of peers is empty; expected at least one, such as `agents.internal:8081`, or no `Dashboard::peers`"
    )]
    NoPeers,
    /// The peers have a bearer token, and this monitor has none.
    #[cfg(feature = "dashboard")]
    #[error("the token of the peers would open them to everybody who reaches this page; set `bearer_token`")]
    PeersOpen,
    /// The bearer token of the peers is empty, or has a character that a request cannot carry. The message does not show it.
    #[cfg(feature = "dashboard")]
    #[error(
        "the token of the peers is empty or has a character that is not allowed; expected letters, digits and `-._~+/=`"
    )]
    PeersToken,
    /// The recorder of runs, which the live page shows, cannot be started.
    #[cfg(feature = "dashboard")]
    #[error("the live page has no runs to show: {reason}")]
    Recorder {
        /// The error of the recorder.
        reason: crate::run::RunsError,
    },
    /// The service's name is not a valid Kubernetes label value.
    #[error(
        "invalid service name {name:?}; expected 1 to 63 letters, digits, `-`, `_` or `.`, the first and the last a letter or digit"
    )]
    ServiceName {
        /// The refused name.
        name: String,
    },
    /// A gRPC service or one of its methods has a name that no request can have.
    #[error(
        "invalid gRPC name {name:?}; expected the service as `package.Service` and each method by its name, in letters, digits and `_`"
    )]
    GrpcName {
        /// The refused name, of a service or of a method.
        name: String,
    },
    /// The service's version is empty. Prometheus treats an empty label as a missing one.
    #[error("the version of service `{service}` is empty; expected a text such as \"1.4.2\"")]
    EmptyVersion {
        /// The service's name.
        service: String,
    },
    /// A pool's name is empty. Prometheus treats an empty label as a missing one.
    #[error("a pool's name is empty; expected a text such as \"main\"")]
    EmptyPoolName,
    /// Two pools have the same name.
    #[error("two pools are named `{name}`; expected a unique name for each pool of a monitor")]
    DuplicatePool {
        /// The shared name.
        name: String,
    },
    /// The given registry already has metrics under our names.
    #[error(
        "the given registry refuses our metrics ({}); expected a registry without metrics of the same names",
        said(reason)
    )]
    Registry {
        /// The error of the registry.
        reason: prometheus::Error,
    },
    /// The given registry adds a label that one of our metrics already has.
    #[error(
        "the given registry puts the label `{label}` on every metric, and `{metric}` has a label of that name; expected \
         another name for the registry's label, such as `app_{label}`"
    )]
    RegistryLabel {
        /// The label's name.
        label: String,
        /// The first of our metrics with that label.
        metric: &'static str,
    },
    /// The given registry adds a prefix or a label that Prometheus refuses.
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
    /// A collector of the given registry panicked, so the registry cannot be gathered.
    #[error(
        "a collector of the given registry panicked ({panic}); expected collectors that gather without a panic: fix the collector, or remove it from the registry"
    )]
    RegistryPanic {
        /// The message of the panic.
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

/// The registry's message, without the prefix that `prometheus` puts before it.
fn said(error: &prometheus::Error) -> String {
    match error {
        prometheus::Error::Msg(text) => text.clone(),
        other => other.to_string(),
    }
}
