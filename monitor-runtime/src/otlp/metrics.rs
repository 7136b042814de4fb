//! The export of metrics.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::choices::{OtlpHistograms, OtlpTemporality};
use super::convert::{Converted, Times, convert};
use super::deltas::Deltas;
use super::exporter::Exporter;
use super::resource::{gen_ai_scope, scope};
use super::semconv::{SCHEMA_URL, gen_ai_metrics};
use super::span::now;
use super::work::Work;
use crate::exposition::scrape_registry::ScrapeRegistry;

/// Sends a snapshot of the registry at each interval. A lost push loses only its data points and no counts: the numbers
/// of the next one count from the start of the process, or from the last push that was accepted.
pub(super) struct Metrics {
    pub(super) exposed: ScrapeRegistry,
    pub(super) exporter: Exporter,
    pub(super) resource: Resource,
    pub(super) interval: Duration,
    pub(super) temporality: OtlpTemporality,
    pub(super) histograms: Option<OtlpHistograms>,
    /// The start of the export, in nanoseconds since 1970.
    pub(super) started: u64,
    pub(super) deltas: Deltas,
}

impl Work for Metrics {
    fn pause(&self) -> Duration {
        self.interval
    }

    fn turn(&mut self) {
        let now = now();
        let times = Times { fallback_start: self.started, now };
        let Converted { mut metrics, mut points, own } =
            convert(&self.exposed.read(), times, self.histograms);
        let delta = match self.temporality {
            OtlpTemporality::Cumulative => 0,
            OtlpTemporality::LowMemory => own,
            OtlpTemporality::Delta => metrics.len(),
        };
        let cumulative = metrics.split_off(delta);
        points -= self.deltas.apply(&mut metrics, now);
        metrics.extend(cumulative);
        if points == 0 {
            return;
        }
        self.exporter.take(points);
        let request = self.request(metrics);
        self.exporter.deliver(request, || self.deltas.commit());
    }

    fn has_more(&self) -> bool {
        false
    }

    fn exporter(&mut self) -> &mut Exporter {
        &mut self.exporter
    }
}

impl Metrics {
    fn request(&self, metrics: Vec<Metric>) -> Vec<u8> {
        // No name of a Prometheus metric has a dot.
        let is_gen_ai = |metric: &Metric| metric.name.starts_with(gen_ai_metrics::PREFIX);
        let (gen_ai, others) = metrics.into_iter().partition::<Vec<_>, _>(is_gen_ai);
        let scoped = [(scope(), others), (gen_ai_scope(), gen_ai)].into_iter();
        let scope_metrics = scoped
            .filter(|(_, metrics)| !metrics.is_empty())
            .map(|(scope, metrics)| ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() });
        let resource_metrics = vec![ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: scope_metrics.collect(),
            schema_url: SCHEMA_URL.to_owned(),
        }];
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
    }
}
