//! Starts the exporting threads.

use std::sync::Arc;
use std::thread;

use opentelemetry_proto::tonic::resource::v1::Resource;

use super::control::Control;
use super::error::OtlpError;
use super::exporter::{Exporter, dropped};
use super::layer::SpanLayer;
use super::metrics::Metrics;
use super::queue::SpanQueue;
use super::settings::{MetricSettings, SpanSettings};
use super::signal::Signal;
use super::traces::Traces;
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
    let exporter = Exporter::new(Signal::Traces, settings.target, Arc::clone(&control));
    let traces = Traces { control: Arc::clone(&control), queue, exporter, resource, delay: settings.delay };
    spawn(Signal::Traces, move || traces.run())?;
    Ok((control, layer))
}

/// Starts the thread that exports metrics.
pub(super) fn start_metrics(
    settings: MetricSettings,
    resource: Resource,
    exposed: ScrapeRegistry,
) -> Result<Arc<Control>, OtlpError> {
    let control = Arc::new(Control::default());
    let exporter = Exporter::new(Signal::Metrics, settings.target, Arc::clone(&control));
    let metrics = Metrics::new(Arc::clone(&control), exposed, exporter, resource, settings.interval);
    spawn(Signal::Metrics, move || metrics.run())?;
    Ok(control)
}

fn spawn(signal: Signal, run: impl FnOnce() + Send + 'static) -> Result<(), OtlpError> {
    let named = thread::Builder::new().name(signal.thread().to_owned());
    let spawned = named.spawn(run);
    spawned.map(drop).map_err(|source| OtlpError::Thread { signal: signal.as_str(), source })
}
