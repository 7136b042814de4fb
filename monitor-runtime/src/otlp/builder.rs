//! Builds and starts the export.

use std::env;
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use prometheus::Registry;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::call_metrics;
use super::choices::{OtlpHistograms, OtlpProtocol, OtlpTemporality};
use super::control::Control;
use super::error::OtlpError;
use super::layer::SpanLayer;
use super::resource;
use super::settings::{EXPONENTIAL, Given, HISTOGRAMS, Settings};
use super::span::SpanCompletion;
use super::variables::{Variables, refused};
use super::worker::{start_metrics, start_traces};
use crate::call::observer;
use crate::exposition::scrape_registry::ScrapeRegistry;
use crate::families::settings::export_native;
use crate::logging::LoggingBuilder;

/// Maximum time that a flush, or the end of the process, waits for the collector.
const PATIENCE: Duration = Duration::from_secs(5);

/// The settings of a process's export of traces and metrics, finished by [`start`](Self::start).
///
/// A variable of OpenTelemetry overrides the code, so that the operator decides, and a variable for one signal overrides that for
/// all; the [module](super) lists them.
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
    attributes: Vec<(String, String)>,
    given: Given,
    registry: Option<Registry>,
}

/// The export of a process by OTLP; [`builder`](Self::builder) sets it up.
#[derive(Debug)]
pub enum Otlp {}

impl Otlp {
    /// Returns the defaults: endpoint `http://localhost:4318`, metrics every 60 s, spans within 5 s.
    pub fn builder() -> OtlpBuilder {
        OtlpBuilder { service: None, attributes: Vec::new(), given: Given::default(), registry: None }
    }
}

impl OtlpBuilder {
    /// Sets the resource's `service.name` and `service.version`. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`
    /// override them.
    pub fn service(self, name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { service: Some((name.into(), version.into())), ..self }
    }

    /// Adds an attribute to the resource. `OTEL_RESOURCE_ATTRIBUTES` overrides one of the same name.
    pub fn resource_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Exports nothing if `is_disabled`. `OTEL_SDK_DISABLED` overrides it.
    pub fn disabled(mut self, is_disabled: bool) -> Self {
        self.given.is_disabled = is_disabled;
        self
    }

    /// Sets the collector's address, `http://localhost:4318` by default, for gRPC `http://localhost:4317`.
    ///
    /// Over HTTP, `/v1/traces` and `/v1/metrics` are appended to its path. For gRPC it has no path, and may have no
    /// scheme: the connection is then TLS, unless [`insecure`](Self::insecure) says otherwise. `https` needs the
    /// feature `otlp-tls`. `OTEL_EXPORTER_OTLP_ENDPOINT` and its variants override it.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.given.target.endpoint = Some(url.into());
        self
    }

    /// Sets the protocol, [`OtlpProtocol::HttpProtobuf`] by default. `OTEL_EXPORTER_OTLP_PROTOCOL` and its variants
    /// override it.
    pub fn protocol(mut self, protocol: OtlpProtocol) -> Self {
        self.given.target.protocol = Some(protocol);
        self
    }

    /// Adds a header to every request, for gRPC an entry of the metadata. If `OTEL_EXPORTER_OTLP_HEADERS` or its
    /// variant for the signal is set, its headers are sent in place of all of these.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.given.target.headers.push((name.into(), value.into()));
        self
    }

    /// Compresses requests by gzip if `is_gzipped`; by default they are not. `OTEL_EXPORTER_OTLP_COMPRESSION` and its
    /// variants override it.
    pub fn gzip(mut self, is_gzipped: bool) -> Self {
        self.given.target.gzip = Some(is_gzipped);
        self
    }

    /// Sets whether a gRPC endpoint without a scheme is reached without TLS, `false` by default.
    /// `OTEL_EXPORTER_OTLP_INSECURE` and its variants override it.
    pub fn insecure(mut self, is_insecure: bool) -> Self {
        self.given.target.insecure = Some(is_insecure);
        self
    }

    /// Sets a PEM file with the certificates to trust, in place of the system's. `OTEL_EXPORTER_OTLP_CERTIFICATE` and
    /// its variants override it. It needs the feature `otlp-tls`.
    pub fn certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.given.target.certificate = Some(path.into());
        self
    }

    /// Sets the PEM files of the client's own certificate, with the chain behind it, and of its private key.
    /// `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CLIENT_KEY` and their variants override them. It
    /// needs the feature `otlp-tls`.
    pub fn client_identity(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.given.target.client_certificate = Some(certificate.into());
        self.given.target.client_key = Some(key.into());
        self
    }

    /// Sets the timeout of one request to the collector, 10 s by default. `OTEL_EXPORTER_OTLP_TIMEOUT` and its variants
    /// override it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.given.target.timeout = Some(timeout);
        self
    }

    /// Sets the temporality of metrics, cumulative by default. `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`
    /// overrides it.
    pub fn temporality(mut self, temporality: OtlpTemporality) -> Self {
        self.given.temporality = Some(temporality);
        self
    }

    /// Sets the form of exported durations; by default exponential histograms if the process keeps native ones, else
    /// histograms with explicit bounds. `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` overrides it.
    pub fn histograms(mut self, histograms: OtlpHistograms) -> Self {
        self.given.histograms = Some(histograms);
        self
    }

    /// Sets the time between two pushes of the metrics, 60 s by default. `OTEL_METRIC_EXPORT_INTERVAL` overrides it.
    pub fn metric_interval(mut self, interval: Duration) -> Self {
        self.given.metric_interval = Some(interval);
        self
    }

    /// Sets the time after which a push of the metrics is given up, 30 s by default. `OTEL_METRIC_EXPORT_TIMEOUT`
    /// overrides it.
    pub fn metric_timeout(mut self, timeout: Duration) -> Self {
        self.given.metric_timeout = Some(timeout);
        self
    }

    /// Sets the maximum delay before a span is sent, 5 s by default. `OTEL_BSP_SCHEDULE_DELAY` overrides it.
    pub fn span_delay(mut self, delay: Duration) -> Self {
        self.given.span_delay = Some(delay);
        self
    }

    /// Sets the maximum number of spans in the queue, 2048 by default. `OTEL_BSP_MAX_QUEUE_SIZE` overrides it.
    pub fn span_queue(mut self, spans: usize) -> Self {
        self.given.span_queue = Some(spans);
        self
    }

    /// Sets the maximum number of spans in one request, 512 by default. `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` overrides it.
    pub fn span_batch(mut self, spans: usize) -> Self {
        self.given.span_batch = Some(spans);
        self
    }

    /// Sets the time after which a batch of spans is dropped, 30 s by default. `OTEL_BSP_EXPORT_TIMEOUT` overrides it.
    pub fn span_timeout(mut self, timeout: Duration) -> Self {
        self.given.span_timeout = Some(timeout);
        self
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
        let variables = Variables(variables);
        let settings = Settings::read(&variables, &self.given)?;
        let resource = resource::read(&variables, self.service.as_ref(), &self.attributes)?;
        let mut guard = OtlpGuard { traces: None, metrics: None, layer: None };
        let histograms = settings.metrics.as_ref().and_then(|metrics| metrics.histograms);
        if histograms == Some(OtlpHistograms::Exponential) {
            keep_exponential(&variables)?;
        }
        if let Some(spans) = settings.spans {
            let (control, layer) = start_traces(spans, resource.clone())?;
            (guard.traces, guard.layer) = (Some(control), Some(layer));
            observe();
        }
        if let Some(metrics) = settings.metrics {
            let exposed =
                self.registry.map_or_else(|| ScrapeRegistry::process().clone(), ScrapeRegistry::reading);
            guard.metrics = Some(start_metrics(metrics, resource, exposed)?);
            call_metrics::record();
        }
        Ok(guard)
    }
}

/// Makes the process keep native histograms, unless it does already.
fn keep_exponential(variables: &Variables<'_>) -> Result<(), OtlpError> {
    export_native().map_err(|_| {
        let setting = if variables.get(HISTOGRAMS).is_some() { HISTOGRAMS } else { "histograms" };
        let expected = "to be set before the first tracked call or request; start the export before that";
        refused(setting, EXPONENTIAL, expected)
    })
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
