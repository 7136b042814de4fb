//! From settings to a running monitor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::BuildError;
use super::names;
use super::{Inner, Monitor};
use crate::exposition::scrape_registry::ScrapeRegistry;
use crate::families::family::set_limit as set_series_limit;
use crate::families::health::HealthSource;
use crate::families::process;
use crate::families::settings::FamilyName;
use crate::families::settings::{keep_exemplars, keep_native, set_buckets};
use crate::health::{Check, Engine, Policy};
use crate::metrics::NativeHistograms;

const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);

/// Collects a monitor's settings; nothing takes effect before [`build`](MonitorBuilder::build).
///
/// Buckets, series limit, service and pool gauges belong to the process, as its metrics do: of several monitors
/// that set them, see each method for which wins.
#[must_use = "a builder does nothing until `build` is called"]
pub struct MonitorBuilder {
    service: Option<(String, String)>,
    pub(super) checks: Vec<(Arc<dyn Check>, Policy)>,
    pub(super) check_interval: Duration,
    pub(super) bearer_token: Option<String>,
    #[cfg(feature = "http")]
    pub(super) stopping: super::stopping::Stopping,
    #[cfg(feature = "http")]
    pub(super) limits: super::ConnectionLimits,
    #[cfg(feature = "http")]
    pub(super) admin: super::admin::AdminSettings,
    #[cfg(feature = "sqlx")]
    pub(super) pools: super::pools::Pools,
    registry: Option<prometheus::Registry>,
    buckets: Vec<Buckets>,
    series_limit: Option<usize>,
    exemplars: bool,
    native_histograms: Option<NativeHistograms>,
}

struct Buckets {
    setting: &'static str,
    family: FamilyName,
    seconds: Vec<f64>,
}

impl MonitorBuilder {
    pub(super) fn new() -> Self {
        Self {
            service: None,
            checks: Vec::new(),
            check_interval: DEFAULT_INTERVAL,
            bearer_token: None,
            #[cfg(feature = "http")]
            stopping: super::stopping::Stopping::default(),
            #[cfg(feature = "http")]
            limits: super::ConnectionLimits::default(),
            #[cfg(feature = "http")]
            admin: super::admin::AdminSettings::default(),
            #[cfg(feature = "sqlx")]
            pools: super::pools::Pools::default(),
            registry: None,
            buckets: Vec::new(),
            series_limit: None,
            exemplars: false,
            native_histograms: None,
        }
    }

    /// Names the service and its version, as `build_info` shows them.
    ///
    /// The name is a Kubernetes label value: 1 to 63 letters, digits, `-`, `_` or `.`, the first and the last a
    /// letter or digit. When not set it is made of the executable's name, and the version is `unknown`.
    pub fn service(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.service = Some((name.into(), version.into()));
        self
    }

    /// Registers our metrics into a registry that the application already has; `/health/metrics` then shows all
    /// of that registry.
    ///
    /// [`build`](Self::build) refuses a registry that has a metric of one of our names, that puts a label on all metrics which one
    /// of ours has, or whose collectors panic.
    pub fn registry(mut self, registry: prometheus::Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Sets the bounds of `agent_execution_duration_seconds`, in seconds, ascending; `+Inf` comes by itself.
    ///
    /// Takes effect before the process's first tracked agent call; later, other bounds than those in use are an
    /// error.
    pub fn agent_buckets(self, seconds: impl Into<Vec<f64>>) -> Self {
        self.buckets("agent_buckets", FamilyName::Agents, seconds.into())
    }

    /// Sets the bounds of `skill_execution_duration_seconds`, as [`agent_buckets`](Self::agent_buckets) does.
    pub fn skill_buckets(self, seconds: impl Into<Vec<f64>>) -> Self {
        self.buckets("skill_buckets", FamilyName::Skills, seconds.into())
    }

    /// Sets the bounds of `db_query_duration_seconds`, as [`agent_buckets`](Self::agent_buckets) does.
    pub fn query_buckets(self, seconds: impl Into<Vec<f64>>) -> Self {
        self.buckets("query_buckets", FamilyName::Queries, seconds.into())
    }

    /// Sets the bounds of `http_request_duration_seconds`, as [`agent_buckets`](Self::agent_buckets) does.
    #[cfg(feature = "http")]
    pub fn http_buckets(self, seconds: impl Into<Vec<f64>>) -> Self {
        self.buckets("http_buckets", FamilyName::Http, seconds.into())
    }

    fn buckets(mut self, setting: &'static str, family: FamilyName, seconds: Vec<f64>) -> Self {
        self.buckets.push(Buckets { setting, family, seconds });
        self
    }

    /// Sets how many label sets each metric of the process keeps apart; 2,000 when not set. Further ones are
    /// counted under `__overflow__`. The last monitor built wins; series that are there stay.
    pub fn series_limit(mut self, limit: usize) -> Self {
        self.series_limit = Some(limit);
        self
    }

    /// Sets whether the buckets of durations show an example: a recent call or request, by the `trace_id` bound around it, else
    /// its `request_id`, else its `run_id`. Off when not set; then it costs a call nothing.
    ///
    /// Scrapes in OpenMetrics and in protobuf show them, those in the text format have no room for them. A bucket's example
    /// stays for at least a second. Name and value of the id have at most 128 characters together; one that is longer, that
    /// a log line has to escape, or that has a `}`, is passed over. What is bound is known to the log layer of this crate only, so without
    /// it requests alone have examples.
    ///
    /// They are the process's: one monitor that sets them does so for all, and for good.
    pub fn exemplars(mut self, exemplars: bool) -> Self {
        self.exemplars = exemplars;
        self
    }

    /// Has all durations kept as native histograms too, for scrapers that ask for protobuf. Not kept when not set; then they cost
    /// neither time nor memory.
    ///
    /// Takes effect before the process's first tracked call or request; later, others than those in use are an error.
    pub fn native_histograms(mut self, settings: NativeHistograms) -> Self {
        self.native_histograms = Some(settings);
        self
    }

    /// Builds the monitor and, inside a tokio runtime, starts its checks.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] says which setting was refused and what is accepted. Checks have not run then.
    pub fn build(self) -> Result<Monitor, BuildError> {
        let service = self.resolve_service()?;
        let checks = self.planned_checks()?;
        let guard = self.guard()?;
        #[cfg(feature = "http")]
        self.stopping.validate()?;
        #[cfg(feature = "http")]
        self.limits.validate()?;
        #[cfg(feature = "sqlx")]
        self.pools.validate()?;
        let exposed = self.exposed()?;
        #[cfg(feature = "http")]
        let admin = self.admin.bind()?;
        // Everything but the buckets is known to be good, so a refused setting leaves the process as it was.
        self.apply_to_process(&service)?;
        let inner = Inner {
            engine: Arc::new(Engine::new(checks)),
            guard,
            exposed,
            #[cfg(feature = "http")]
            serving: super::serve::Serving::new(self.stopping, self.limits),
            #[cfg(feature = "sqlx")]
            _pools: self.pools,
        };
        let source: Arc<dyn HealthSource> = inner.engine.clone();
        crate::families::health::register(Arc::downgrade(&source));
        let monitor = Monitor {
            inner: Arc::new(inner),
            #[cfg(feature = "http")]
            admin: None,
        };
        #[cfg(feature = "http")]
        let monitor = monitor.administered(admin)?;
        monitor.inner.engine.start();
        Ok(monitor)
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

    fn exposed(&self) -> Result<ScrapeRegistry, BuildError> {
        if let Some(settings) = &self.native_histograms {
            settings.check().map_err(|reason| BuildError::NativeHistograms { reason })?;
        }
        if self.series_limit == Some(0) {
            return Err(BuildError::ZeroSeriesLimit);
        }
        match self.registry.clone() {
            Some(registry) => Ok(ScrapeRegistry::with(registry)?),
            None => Ok(ScrapeRegistry::process().clone()),
        }
    }

    fn apply_to_process(&self, (service, version): &(String, String)) -> Result<(), BuildError> {
        for Buckets { setting, family, seconds } in &self.buckets {
            set_buckets(*family, seconds).map_err(|reason| BuildError::Buckets { setting, reason })?;
        }
        if let Some(settings) = self.native_histograms {
            keep_native(settings).map_err(|reason| BuildError::NativeHistograms { reason })?;
        }
        if let Some(limit) = self.series_limit {
            set_series_limit(limit);
        }
        if self.exemplars {
            keep_exemplars();
        }
        #[cfg(feature = "sqlx")]
        self.pools.register();
        process::metrics().build_info.with_label_values(&[service, version]).set(1);
        Ok(())
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
