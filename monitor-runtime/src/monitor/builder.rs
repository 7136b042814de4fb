//! Builds a monitor from its settings.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::endpoints::Endpoints;
use super::endpoints::bearer::{self, BearerAuth};
use super::error::BuildError;
use super::handle::Monitor;
use super::names;
use super::pools::Pools;
use crate::exposition::scrape_registry::ScrapeRegistry;
use crate::families::health::HealthSource;
use crate::families::pools::PoolState;
use crate::families::process;
use crate::health::{Check, Engine, Plan, Policy, Rules};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);

/// Collects the settings of a monitor; nothing takes effect before [`build`](MonitorBuilder::build).
///
/// Service and pool gauges belong to the process, as its metrics do: of several monitors that set them, see each method for
/// which wins. [`metrics::builder`](crate::metrics::builder) has the settings of the metrics themselves.
#[must_use = "a builder does nothing until `build` is called"]
pub struct MonitorBuilder {
    service: Option<(String, String)>,
    checks: Vec<(Arc<dyn Check>, Policy)>,
    check_interval: Duration,
    bearer_token: Option<String>,
    base_path: String,
    #[cfg(feature = "http")]
    servers: super::servers::ServerSettings,
    #[cfg(feature = "dashboard")]
    dashboard: Option<super::dashboard::Dashboard>,
    pools: Pools,
    registry: Option<prometheus::Registry>,
}

impl Monitor {
    /// Creates the builder of a monitor without checks.
    pub fn builder() -> MonitorBuilder {
        MonitorBuilder::new()
    }
}

impl MonitorBuilder {
    fn new() -> Self {
        Self {
            service: None,
            checks: Vec::new(),
            check_interval: DEFAULT_INTERVAL,
            bearer_token: None,
            base_path: String::new(),
            #[cfg(feature = "http")]
            servers: super::servers::ServerSettings::default(),
            #[cfg(feature = "dashboard")]
            dashboard: None,
            pools: Pools::default(),
            registry: None,
        }
    }

    /// Sets the name and version of the service, which `build_info` shows.
    ///
    /// The name has to be a Kubernetes label value: 1 to 63 letters, digits, `-`, `_` or `.`, the first and the last a
    /// letter or digit. By default the name comes from the executable, and the version is `unknown`.
    pub fn service(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.service = Some((name.into(), version.into()));
        self
    }

    /// Registers our metrics in the application's own registry, all of which `/health/metrics` then shows.
    ///
    /// [`build`](Self::build) refuses a registry that already has a metric with one of our names, that adds a label
    /// which one of our metrics has, or whose collectors panic.
    pub fn registry(mut self, registry: prometheus::Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Adds a critical check, under a name that no other check of this monitor has.
    pub fn check(self, check: impl Check) -> Self {
        self.check_with(Policy::critical(), check)
    }

    /// Adds a check with its own policy: whether readiness depends on it, how often it runs, its timeout, and its
    /// thresholds.
    pub fn check_with(mut self, policy: Policy, check: impl Check) -> Self {
        self.checks.push((Arc::new(check), policy));
        self
    }

    /// Sets the pause between two runs of a check whose policy sets none, varied by up to a tenth; more than zero
    /// (default 2 seconds). The pause begins after a run.
    pub fn check_interval(mut self, interval: Duration) -> Self {
        self.check_interval = interval;
        self
    }

    /// Sets a bearer token for bodies and metrics. Without `authorization: Bearer <token>`, the metrics answer 401, and
    /// probes answer without any checks. By default everything is public.
    ///
    /// The token has letters, digits and `-._~+/=`, in any number. It is compared in constant time.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.bearer_token = Some(token.into());
        self
    }

    /// Sets a path that precedes every route of the monitor (default: none). With `/internal`, liveness is at
    /// `/internal/health/live`.
    ///
    /// It applies to [`serve`](Monitor::serve), [`routes`](Monitor::routes), [`answer`](Monitor::answer) and the admin
    /// listener. A path has one or more segments of letters, digits and `-._~`, each after a `/`.
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = path.into();
        self
    }

    /// Shows the connections of any pool as `db_connections_active`, `_idle` and `_max`, as long as the monitor lives.
    ///
    /// `read` is called at each scrape, on its thread, so it must not block. If it panics, the scrape leaves the pool
    /// out and logs a warning. If several monitors use the same name for a pool, the last one built is shown.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use monitor_runtime::{Monitor, PoolState};
    ///
    /// // As most pools report themselves.
    /// struct Pool;
    /// # impl Pool {
    /// #     fn size(&self) -> usize { 3 }
    /// #     fn idle(&self) -> usize { 1 }
    /// #     fn max_size(&self) -> usize { 8 }
    /// # }
    ///
    /// let pool = Arc::new(Pool);
    /// let state = move || PoolState::of_open(pool.size(), pool.idle(), pool.max_size());
    /// let monitor = Monitor::builder().pool_with("main", state).build()?;
    /// let metrics = monitor.metrics();
    /// assert!(String::from_utf8_lossy(metrics.body()).contains("db_connections_active{pool=\"main\"} 2\n"));
    /// # Ok::<(), monitor_runtime::BuildError>(())
    /// ```
    pub fn pool_with(
        mut self,
        name: impl Into<String>,
        read: impl Fn() -> PoolState + Send + Sync + 'static,
    ) -> Self {
        self.pools.push(name.into(), Arc::new(read));
        self
    }

    /// Builds the monitor and, inside of a tokio runtime, starts its checks.
    ///
    /// # Errors
    ///
    /// Returns a [`BuildError`] with the refused setting and the accepted values. No check has run then.
    pub fn build(self) -> Result<Monitor, BuildError> {
        let service = self.resolve_service()?;
        let checks = self.planned_checks()?;
        let bearer = self.bearer()?;
        let base_path = self.resolve_base_path()?;
        self.pools.validate()?;
        let exposed = self.exposed()?;
        #[cfg(feature = "dashboard")]
        self.check_dashboard(bearer.is_set())?;
        #[cfg(feature = "dashboard")]
        let fleet = self.fleet(&base_path)?;
        #[cfg(feature = "http")]
        let servers = self.servers.bind()?;
        #[cfg(feature = "dashboard")]
        self.dashboard.as_ref().map_or(Ok(()), super::dashboard::Dashboard::start_recorder)?;
        self.pools.register();
        show_build_info(&service);
        let endpoints = Arc::new(Endpoints {
            engine: Arc::new(Engine::new(checks)),
            base_path,
            bearer,
            exposed,
            #[cfg(feature = "runs")]
            service,
            #[cfg(feature = "dashboard")]
            dashboard: self.dashboard,
            #[cfg(feature = "dashboard")]
            fleet,
            _pools: self.pools.into_sources(),
        });
        let source: Arc<dyn HealthSource> = endpoints.engine.clone();
        crate::families::health::register(Arc::downgrade(&source));
        #[cfg(feature = "http")]
        let servers = servers.start(&endpoints)?;
        endpoints.engine.start();
        Ok(Monitor {
            endpoints,
            #[cfg(feature = "http")]
            servers,
        })
    }

    fn resolve_service(&self) -> Result<(String, String), BuildError> {
        let Some((name, version)) = self.service.clone() else {
            return Ok((names::default_service_name(), "unknown".into()));
        };
        if !names::is_service_name(&name) {
            return Err(BuildError::ServiceName { name });
        }
        if version.is_empty() {
            return Err(BuildError::EmptyVersion { service: name });
        }
        Ok((name, version))
    }

    fn planned_checks(&self) -> Result<Vec<Plan>, BuildError> {
        if self.check_interval.is_zero() {
            return Err(BuildError::ZeroInterval);
        }
        let mut seen = BTreeSet::new();
        let plan = |(check, policy): &(Arc<dyn Check>, Policy)| {
            let plan = self.plan(check, policy)?;
            if !seen.insert(plan.name.clone()) {
                return Err(BuildError::DuplicateCheck { name: plan.name.into() });
            }
            Ok(plan)
        };
        self.checks.iter().map(plan).collect()
    }

    fn plan(&self, check: &Arc<dyn Check>, policy: &Policy) -> Result<Plan, BuildError> {
        let name: Box<str> = check.name().into();
        if !names::is_check_name(&name) {
            return Err(BuildError::CheckName { name: name.into() });
        }
        let rules = Rules {
            severity: policy.severity,
            interval: policy.interval.unwrap_or(self.check_interval),
            timeout: policy.timeout.unwrap_or_else(|| check.timeout()),
            failure_threshold: policy.failure_threshold,
            success_threshold: policy.success_threshold,
        };
        validate(&name, &rules)?;
        Ok(Plan { name, rules, check: Arc::clone(check) })
    }

    fn bearer(&self) -> Result<BearerAuth, BuildError> {
        match self.bearer_token.as_deref() {
            Some("") => Err(BuildError::EmptyToken),
            Some(token) if !bearer::is_token(token) => Err(BuildError::TokenCharacter),
            token => Ok(BearerAuth::new(token)),
        }
    }

    fn resolve_base_path(&self) -> Result<Box<str>, BuildError> {
        match self.base_path.as_str() {
            path if path.is_empty() || names::is_base_path(path) => Ok(path.into()),
            path => Err(BuildError::BasePath { path: path.into() }),
        }
    }

    fn exposed(&self) -> Result<ScrapeRegistry, BuildError> {
        match self.registry.clone() {
            Some(registry) => Ok(ScrapeRegistry::with(registry)?),
            None => Ok(ScrapeRegistry::process().clone()),
        }
    }
}

fn show_build_info((service, version): &(String, String)) {
    process::metrics().build_info.with_label_values(&[service, version]).set(1);
}

#[cfg(feature = "http")]
impl MonitorBuilder {
    /// Serves the endpoints on this port of the loopback address (127.0.0.1) as well, from [`build`](Self::build) on.
    /// With port 0 the system chooses a free one, which [`admin_address`](Monitor::admin_address) returns.
    ///
    /// This admin listener has its own thread and runtime, so it answers within milliseconds however busy the
    /// application is. Its `/health/live` answers 200 while the application's runtime runs tasks, and 503
    /// `{"status":"stalled"}` once it has run none for the [`liveness_threshold`](Self::liveness_threshold). It runs
    /// until the last clone of the monitor is dropped, so also during a stop. The routes on the main port do not
    /// change.
    ///
    /// It watches the runtime on which `build` is called, or else the one of [`serve`](Monitor::serve).
    pub fn admin_port(mut self, port: u16) -> Self {
        self.servers.admin.place = Some(("admin_port", (std::net::Ipv4Addr::LOCALHOST, port).into()));
        self
    }

    /// Sets the full address of the admin listener instead of an [`admin_port`](Self::admin_port), for an orchestrator
    /// that probes from outside. Beyond loopback it logs a warning unless there is a
    /// [`bearer_token`](Self::bearer_token).
    pub fn admin_address(mut self, address: impl Into<std::net::SocketAddr>) -> Self {
        self.servers.admin.place = Some(("admin_address", address.into()));
        self
    }

    /// Sets how long the application's runtime may run no task before `/health/live` of the admin listener answers 503;
    /// more than zero (default 10 seconds). It has no effect without an admin listener.
    pub fn liveness_threshold(mut self, threshold: Duration) -> Self {
        self.servers.admin.threshold = threshold;
        self
    }

    /// Sets how long [`serve`](crate::Monitor::serve) continues as before after the signal to stop, while readiness
    /// answers 503 `draining` (default 5 seconds; zero is allowed).
    ///
    /// During that time the orchestrator takes the process out of its load balancing. Clients that still arrive are
    /// served. After Ctrl-C (SIGINT), the delay ends as soon as nothing is in flight.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.servers.stopping.drain_delay = delay;
        self
    }

    /// Sets how long requests and tracked calls in flight may take after [`serve`](crate::Monitor::serve) has stopped
    /// accepting; more than zero (default 20 seconds).
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.servers.stopping.shutdown_timeout = timeout;
        self
    }

    /// Sets how long the orchestrator waits between the signal to stop and the kill (default 30 seconds, like
    /// `terminationGracePeriodSeconds` of Kubernetes and `stopTimeout` of ECS).
    ///
    /// [`build`](Self::build) refuses a drain delay and a shutdown timeout that leave less than a second of it. Four
    /// fifths of the rest, at most 4 seconds, are for the last log lines; the remainder is for code of the application
    /// after `serve`.
    pub fn grace_period(mut self, period: Duration) -> Self {
        self.servers.stopping.grace_period = period;
        self
    }

    /// Writes one log line when a request under [`serve`](Monitor::serve) or [`layer`](Monitor::layer) ends (default:
    /// none); see [`HttpLayer::access_log`](crate::http::HttpLayer::access_log).
    pub fn access_log(mut self, access: crate::http::AccessLog) -> Self {
        self.servers.access_log = Some(access);
        self
    }

    /// Sets the limits on the connections of [`serve`](crate::Monitor::serve); see
    /// [`ConnectionLimits`](crate::ConnectionLimits) for the defaults.
    ///
    /// The admin listener has its own limits: 64 connections, 10 seconds for a head, and 10 seconds for taking an
    /// answer.
    pub fn connection_limits(mut self, limits: super::server::ConnectionLimits) -> Self {
        self.servers.limits = limits;
        self
    }
}

#[cfg(feature = "dashboard")]
impl MonitorBuilder {
    /// Serves the live page at `/monitor/` of the admin listener, and starts the recorder of runs, which it shows.
    ///
    /// The page is for browsers: what runs now, kept runs as trees, every call by name, models and cost, checks, log lines.
    /// It needs an [`admin_port`](Self::admin_port) or an [`admin_address`](Self::admin_address), or
    /// [`Dashboard::on_main_port`](super::Dashboard::on_main_port). If other machines reach the admin listener, the page is
    /// shown only with a [`bearer_token`](Self::bearer_token), for which a browser asks once. Its address is logged when
    /// that listener starts.
    pub fn dashboard(mut self, dashboard: super::dashboard::Dashboard) -> Self {
        self.dashboard = Some(dashboard);
        self
    }

    /// The other instances. Below a base path is only the page of the main port.
    fn fleet(&self, base_path: &str) -> Result<Option<super::fleet::Fleet>, BuildError> {
        let Some(dashboard) = &self.dashboard else { return Ok(None) };
        let base_path = if self.servers.admin.place.is_some() { "" } else { base_path };
        dashboard.fleet(self.bearer_token.as_deref(), base_path)
    }

    fn check_dashboard(&self, has_token: bool) -> Result<(), BuildError> {
        match &self.dashboard {
            Some(dashboard) if dashboard.is_on_main_port && !has_token => Err(BuildError::DashboardToken),
            Some(dashboard) if !dashboard.is_on_main_port && self.servers.admin.place.is_none() => {
                Err(BuildError::DashboardListener)
            }
            Some(dashboard) => match dashboard.hosts.iter().find(|name| !names::is_host_name(name)) {
                Some(name) => Err(BuildError::DashboardHost { name: name.clone() }),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}

#[cfg(feature = "tonic")]
impl MonitorBuilder {
    /// Sets the gRPC services whose calls [`layer`](Monitor::layer) and [`serve`](Monitor::serve) count by name and
    /// status, and which [`grpc_health`](Monitor::grpc_health) knows (default: none).
    ///
    /// A second call replaces the services of the first. [`build`](Self::build) refuses names that no request can have.
    pub fn grpc(mut self, services: crate::http::GrpcServices) -> Self {
        self.servers.grpc = services;
        self
    }
}

#[cfg(feature = "sqlx")]
impl MonitorBuilder {
    /// Shows a sqlx pool's connections as `db_connections_active`, `_idle` and `_max`, read at each scrape, as long as
    /// the monitor lives.
    ///
    /// [`pool_with`](Self::pool_with) does the same for any other pool. If several monitors use the same name for a
    /// pool, the last one built is shown.
    pub fn pool<DB: sqlx::Database>(self, name: impl Into<String>, pool: &sqlx::Pool<DB>) -> Self {
        let pool = pool.clone();
        self.pool_with(name, move || {
            PoolState::of_open(pool.size(), pool.num_idle(), pool.options().get_max_connections())
        })
    }
}

impl fmt::Debug for MonitorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks: Vec<&str> = self.checks.iter().map(|(check, _)| check.name()).collect();
        f.debug_struct("MonitorBuilder")
            .field("service", &self.service)
            .field("checks", &checks)
            .field("check_interval", &self.check_interval)
            .finish_non_exhaustive()
    }
}

fn validate(check: &str, rules: &Rules) -> Result<(), BuildError> {
    let check = || check.to_owned();
    if rules.timeout.is_zero() {
        return Err(BuildError::ZeroTimeout { check: check() });
    }
    if rules.interval.is_zero() {
        return Err(BuildError::ZeroCheckInterval { check: check() });
    }
    let thresholds =
        [("failure_threshold", rules.failure_threshold), ("success_threshold", rules.success_threshold)];
    match thresholds.into_iter().find(|(_, runs)| *runs == 0) {
        Some((setting, _)) => Err(BuildError::ZeroThreshold { check: check(), setting }),
        None => Ok(()),
    }
}
