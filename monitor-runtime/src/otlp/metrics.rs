//! The thread that exports metrics.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::control::{Control, Ending};
use super::convert::{Converted, Times, convert};
use super::exporter::Exporter;
use super::resource::scope;
use super::semconv::SCHEMA_URL;
use super::span::now;
use crate::exposition::scrape_registry::ScrapeRegistry;

/// Sends a snapshot of the registry at each interval. All numbers are cumulative, so a lost push loses only its data
/// points and no counts.
pub(super) struct Metrics {
    control: Arc<Control>,
    exposed: ScrapeRegistry,
    exporter: Exporter,
    resource: Resource,
    interval: Duration,
    started: u64,
}

impl Metrics {
    pub(super) fn new(
        control: Arc<Control>,
        exposed: ScrapeRegistry,
        exporter: Exporter,
        resource: Resource,
        interval: Duration,
    ) -> Self {
        Self { control, exposed, exporter, resource, interval, started: now() }
    }

    pub(super) fn run(mut self) {
        let control = Arc::clone(&self.control);
        let _ending = Ending(&control);
        loop {
            let turn = control.next_turn(self.interval);
            let Converted { metrics, points } = self.read();
            if points > 0 {
                self.exporter.deliver(points, &self.request(metrics));
            }
            control.answer(turn);
            if turn.is_last {
                return;
            }
        }
    }

    fn read(&self) -> Converted {
        convert(&self.exposed.read(), Times { fallback_start: self.started, now: now() })
    }

    fn request(&self, metrics: Vec<Metric>) -> Vec<u8> {
        let schema_url = SCHEMA_URL.to_owned();
        let scope_metrics =
            vec![ScopeMetrics { scope: Some(scope()), metrics, schema_url: schema_url.clone() }];
        let resource = Some(self.resource.clone());
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, schema_url }];
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
    }
}
