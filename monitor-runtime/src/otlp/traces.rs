//! The thread that exports spans.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::control::{Control, Ending};
use super::exporter::Exporter;
use super::queue::SpanQueue;
use super::semconv::SCHEMA_URL;
use super::worker::scope;

/// Sends what is in the queue.
pub(super) struct Traces {
    pub(super) control: Arc<Control>,
    pub(super) queue: Arc<SpanQueue>,
    pub(super) exporter: Exporter,
    pub(super) resource: Resource,
    pub(super) delay: Duration,
}

impl Traces {
    pub(super) fn run(mut self) {
        let control = Arc::clone(&self.control);
        let _ending = Ending(&control);
        loop {
            let turn = control.next_turn(self.delay);
            self.send_what_waits();
            control.answer(turn);
            if turn.is_last {
                return self.queue.close();
            }
        }
    }

    /// Sends all that waits by now. What comes meanwhile has the next turn, at once if it fills a batch.
    fn send_what_waits(&mut self) {
        let mut waiting = self.queue.len();
        while waiting > 0 {
            let spans = self.queue.take();
            let items = spans.len();
            waiting = waiting.saturating_sub(items);
            self.exporter.deliver(items, &self.request(spans));
        }
        if self.queue.has_batch() {
            self.control.hurry();
        }
    }

    fn request(&self, spans: Vec<Span>) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans { scope: Some(scope()), spans, schema_url: SCHEMA_URL.to_owned() }];
        let resource = Some(self.resource.clone());
        let schema_url = SCHEMA_URL.to_owned();
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}
