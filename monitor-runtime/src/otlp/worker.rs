//! Starts the exporting threads.

use std::sync::Arc;
use std::thread;

use opentelemetry_proto::tonic::resource::v1::Resource;

use super::control::Control;
use super::deltas::Deltas;
use super::error::OtlpError;
use super::exporter::{Exporter, dropped};
use super::layer::SpanLayer;
use super::metrics::Metrics;
use super::queue::SpanQueue;
use super::settings::{MetricSettings, SpanSettings};
use super::signal::Signal;
use super::span::now;
use super::traces::Traces;
use super::work::{Work, run};
use crate::exposition::scrape_registry::ScrapeRegistry;

/// Starts the thread that exports spans, and returns the layer that records them.
pub(super) fn start_traces(
    settings: SpanSettings,
    resource: Resource,
) -> Result<(Arc<Control>, SpanLayer), OtlpError> {
    let control = Arc::new(Control::default());
    let dropped = dropped(Signal::Traces);
    let queue = SpanQueue::new(settings.queue, settings.batch, Arc::clone(&control), dropped);
    let queue = Arc::new(queue);
    let layer = SpanLayer::new(settings.sampling, Arc::clone(&queue));
    let exporter = Exporter::new(Signal::Traces, settings.target, Arc::clone(&control))?;
    let traces = Traces { control: Arc::clone(&control), queue, exporter, resource, delay: settings.delay };
    spawn(Signal::Traces, traces, &control)?;
    Ok((control, layer))
}

/// Starts the thread that exports metrics.
pub(super) fn start_metrics(
    settings: MetricSettings,
    resource: Resource,
    exposed: ScrapeRegistry,
) -> Result<Arc<Control>, OtlpError> {
    let control = Arc::new(Control::default());
    let metrics = Metrics {
        exposed,
        exporter: Exporter::new(Signal::Metrics, settings.target, Arc::clone(&control))?,
        resource,
        interval: settings.interval,
        temporality: settings.temporality,
        histograms: settings.histograms,
        started: now(),
        deltas: Deltas::default(),
    };
    spawn(Signal::Metrics, metrics, &control)?;
    Ok(control)
}

fn spawn(signal: Signal, work: impl Work + Send + 'static, control: &Arc<Control>) -> Result<(), OtlpError> {
    let control = Arc::clone(control);
    let named = thread::Builder::new().name(signal.thread().to_owned());
    let spawned = named.spawn(move || run(work, &control));
    spawned.map(drop).map_err(|source| OtlpError::Thread { signal: signal.as_str(), source })
}
