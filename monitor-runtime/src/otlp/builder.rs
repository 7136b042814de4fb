//! Builds and starts the export.

use std::env;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use prometheus::Registry;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::control::Control;
use super::error::OtlpError;
use super::layer::SpanLayer;
use super::resource;
use super::settings::{Given, Settings};
use super::span::SpanCompletion;
use super::variables::{Variables, refused};
use super::worker::{start_metrics, start_traces};
use crate::call::observer;
use crate::exposition::scrape_registry::ScrapeRegistry;
use crate::logging::LoggingBuilder;

/// Maximum time that a flush, or the end of the process, waits for the collector.
const PATIENCE: Duration = Duration::from_secs(5);

/// The settings of a process's export of traces and metrics, finished by [`start`](Self::start).
///
/// The variables of OpenTelemetry override the code, so that the operator decides; the [module](super) lists them.
///
/// ```no_run
/// use monitor_runtime::logging::Logging;
/// use monitor_runtime::otlp::Otlp;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let otlp = Otlp::builder().service("notes", "1.4.2").endpoint("http://collector:4318").start()?;
/// let _logs = Logging::builder().traces(&otlp).init()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "settings do nothing before `start`"]
pub struct OtlpBuilder {
    service: Option<(String, String)>,
    given: Given,
    registry: Option<Registry>,
}

/// The export of a process by OTLP; [`builder`](Self::builder) sets it up.
#[derive(Debug)]
pub enum Otlp {}

impl Otlp {
    /// Returns the defaults: endpoint `http://localhost:4318`, metrics every 60 s, spans within 5 s.
    pub fn builder() -> OtlpBuilder {
        OtlpBuilder { service: None, given: Given::default(), registry: None }
    }
}

impl OtlpBuilder {
    /// Sets the resource's `service.name` and `service.version`. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`
    /// override them.
    pub fn service(self, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { service: Some((name.into(), version.into())), ..self }
    }

    /// Sets the collector's address: `http`, a host, a port and a path, to which `/v1/traces` and `/v1/metrics` are
    /// appended. `OTEL_EXPORTER_OTLP_ENDPOINT` and its variants override it.
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self { given: Given { endpoint: Some(url.into()), ..self.given }, ..self }
    }

    /// Sets the timeout of one request to the collector, 10 s by default. `OTEL_EXPORTER_OTLP_TIMEOUT` overrides it.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { given: Given { timeout: Some(timeout), ..self.given }, ..self }
    }

    /// Sets the registry to export, [`metrics::registry`](crate::metrics::registry) by default. Use it in a process
    /// that passes a registry to [`MonitorBuilder::registry`](crate::MonitorBuilder::registry).
    pub fn registry(self, registry: Registry) -> Self {
        Self { registry: Some(registry), ..self }
    }

    /// Starts a thread for each signal.
    ///
    /// Metrics are exported from now on, and spans once the guard's [`layer`](OtlpGuard::layer) is part of the
    /// process's `tracing` subscriber. It does not wait for the collector: an unreachable one is logged and counted
    /// later.
    ///
    /// # Errors
    ///
    /// Returns an [`OtlpError`] if a variable or a setting is invalid, or if a thread cannot be started. It names the
    /// variable and the accepted values.
    pub fn start(self) -> Result<OtlpGuard, OtlpError> {
        self.start_with(&|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn start_with(self, variables: &dyn Fn(&str) -> Option<String>) -> Result<OtlpGuard, OtlpError> {
        if self.given.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(refused("timeout", "0s", "a longer time, such as 10s"));
        }
        let variables = Variables(variables);
        let settings = Settings::read(&variables, &self.given)?;
        let resource = resource::read(&variables, self.service.as_ref())?;
        let mut guard = OtlpGuard { traces: None, metrics: None, layer: None };
        if let Some(spans) = settings.spans {
            let (control, layer) = start_traces(spans, resource.clone())?;
            (guard.traces, guard.layer) = (Some(control), Some(layer));
            observe();
        }
        if let Some(metrics) = settings.metrics {
            let exposed =
                self.registry.map_or_else(|| ScrapeRegistry::process().clone(), ScrapeRegistry::reading);
            guard.metrics = Some(start_metrics(metrics, resource, exposed)?);
        }
        Ok(guard)
    }
}

/// Makes calls and requests complete their spans when they end, from the first export of the process on.
fn observe() {
    static OBSERVE: Once = Once::new();
    OBSERVE.call_once(|| observer::install(&SpanCompletion));
}

/// Traces beside the process's own log lines.
impl LoggingBuilder {
    /// Exports the spans of the process by OTLP, beside the lines that [`init`](Self::init) makes of its events. These
    /// lines then carry `trace_id` and `span_id`.
    ///
    /// For a [`layer`](Self::layer), add [`OtlpGuard::layer`] to the same registry instead.
    pub fn traces(self, otlp: &OtlpGuard) -> Self {
        self.span_layer(otlp.layer.clone().map(|spans| Box::new(spans.filtered()) as _))
    }
}

/// Ends the export when it is dropped, after sending all queued data.
///
/// Hold it for as long as the process runs, usually in `main`, outside of all exported spans. Dropping it, like
/// [`flush`](Self::flush), blocks the thread for at most five seconds, whatever the collector does.
#[derive(Debug)]
#[must_use = "dropped at once, it ends the export at once"]
pub struct OtlpGuard {
    traces: Option<Arc<Control>>,
    metrics: Option<Arc<Control>>,
    layer: Option<SpanLayer>,
}

impl OtlpGuard {
    /// Returns the layer that exports spans, to add to a `tracing-subscriber` registry beside other layers.
    /// [`LoggingBuilder::traces`](crate::logging::LoggingBuilder::traces) does that for the process's own logging.
    ///
    /// Spans of the level `info` or more severe are exported, whatever the filters of other layers.
    ///
    /// ```no_run
    /// use monitor_runtime::{logging::Logging, otlp::Otlp};
    /// use tracing_subscriber::layer::SubscriberExt as _;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let otlp = Otlp::builder().start()?;
    /// let (lines, _logs) = Logging::builder().layer()?;
    /// let subscriber = tracing_subscriber::registry().with(otlp.layer()).with(lines);
    /// tracing::subscriber::set_global_default(subscriber)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + 'static + use<S>
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    {
        self.layer.clone().map(SpanLayer::filtered)
    }

    /// Sends everything recorded before the call, and returns whether that finished within five seconds.
    ///
    /// Data that the collector refused counts as finished, and as dropped.
    pub fn flush(&self) -> bool {
        let until = Instant::now() + PATIENCE;
        let asked: Vec<_> = self.controls().map(|control| (control, control.ask())).collect();
        asked.into_iter().all(|(control, asked)| control.wait(asked, until))
    }

    fn controls(&self) -> impl Iterator<Item = &Control> {
        self.traces.iter().chain(&self.metrics).map(AsRef::as_ref)
    }
}

impl Drop for OtlpGuard {
    fn drop(&mut self) {
        let until = Instant::now() + PATIENCE;
        self.controls().for_each(|control| control.stop(until));
        self.controls().for_each(|control| control.wait_for_end(until));
    }
}
