//! The same numbers under the same labels, kept and rendered by the peers.

use std::error::Error;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use prometheus::{Registry, TextEncoder};
use prometheus_client::encoding::text;

use super::agents::id;
use crate::calls::peers::{AgentLabels, BUCKETS, CallLabels, Families, Vecs};

const STATUSES: [&str; 4] = ["success", "error", "panic", "cancelled"];

/// A duration like those that our agents recorded.
const SECONDS: f64 = 0.000_000_123;

/// A separate registry, without the metrics of the process, which ours reads at each scrape.
pub(super) fn prometheus(agents: usize) -> Result<Registry, Box<dyn Error>> {
    let (registry, vecs) = (Registry::new(), Vecs::new());
    registry.register(Box::new(vecs.total.clone()))?;
    registry.register(Box::new(vecs.duration.clone()))?;
    registry.register(Box::new(vecs.active.clone()))?;
    for id in (0..agents).map(id) {
        vecs.active.with_label_values(&[&id]).set(0);
        for status in STATUSES {
            vecs.total.with_label_values(&[&*id, status]).inc();
            vecs.duration.with_label_values(&[&*id, status]).observe(SECONDS);
        }
    }
    Ok(registry)
}

/// Renders into a new `String`, as in the crate's documentation.
pub(super) fn encode(registry: &Registry) -> String {
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap_or_default()
}

pub(super) struct PrometheusClient(prometheus_client::registry::Registry);

impl PrometheusClient {
    pub(super) fn new(agents: usize) -> Self {
        let (mut registry, families) = (prometheus_client::registry::Registry::default(), Families::new());
        registry.register("executions", "Calls that ended", families.total.clone());
        registry.register("duration_seconds", "How long calls took", families.duration.clone());
        registry.register("active", "Calls that have not ended", families.active.clone());
        for id in (0..agents).map(id) {
            families.active.get_or_create(&AgentLabels { agent_id: id.clone() }).set(0);
            for status in STATUSES {
                let call = CallLabels { agent_id: id.clone(), status };
                families.total.get_or_create(&call).inc();
                families.duration.get_or_create(&call).observe(SECONDS);
            }
        }
        Self(registry)
    }

    pub(super) fn encode(&self) -> String {
        let mut text = String::new();
        // Nothing that writes into a `String` fails.
        let _ = text::encode(&mut text, &self.0);
        text
    }
}

pub(super) struct Exporter(PrometheusHandle);

impl Exporter {
    pub(super) fn new(agents: usize) -> Result<Self, Box<dyn Error>> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        metrics::with_local_recorder(&recorder, || {
            for id in (0..agents).map(id) {
                metrics::gauge!("active", "agent_id" => id.clone()).set(0);
                for status in STATUSES {
                    metrics::counter!("executions_total", "agent_id" => id.clone(), "status" => status)
                        .increment(1);
                    metrics::histogram!("duration_seconds", "agent_id" => id.clone(), "status" => status)
                        .record(SECONDS);
                }
            }
        });
        Ok(Self(recorder.handle()))
    }

    pub(super) fn render(&self) -> String {
        self.0.render()
    }
}
