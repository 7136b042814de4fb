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
use super::resource::scope;
use super::semconv::SCHEMA_URL;

/// Sends the queued spans.
pub(super) struct Traces {
    pub(super) control: Arc<Control>,
    pub(super) queue: Arc<SpanQueue>,
    pub(super) exporter: Exporter,
    pub(super) resource: Resource,
    pub(super) delay: Duration,
}

impl Traces {
    pub(super) fn run(mut self) {
        let (control, queue) = (Arc::clone(&self.control), Arc::clone(&self.queue));
        let _ending = Ending(&control);
        let _closing = queue.close_at_end();
        loop {
            let turn = control.next_turn(self.delay);
            self.send_what_waits();
            control.answer(turn);
            if turn.is_last {
                return;
            }
        }
    }

    /// Sends the spans queued by now. Later ones are left for the next turn, which follows at once if they fill a
    /// batch.
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

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use prometheus::IntCounter;
    use tracing::subscriber::{Subscriber, with_default};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

    use super::super::settings::Target;
    use super::super::signal::Signal;
    use super::*;

    /// A log layer of the user.
    struct Panicking;

    impl<S: Subscriber> Layer<S> for Panicking {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            panic!("told to");
        }
    }

    /// Has a deadline of zero, so that the first batch is lost and a line reports it.
    fn traces(batch: usize, dropped: IntCounter) -> Traces {
        let control = Arc::new(Control::default());
        let target = Target {
            url: "http://127.0.0.1:1".to_owned(),
            headers: Vec::new(),
            timeout: Duration::ZERO,
            patience: Duration::ZERO,
        };
        let queue = Arc::new(SpanQueue::new(16, batch, Arc::clone(&control), dropped));
        let exporter = Exporter::new(Signal::Traces, target, Arc::clone(&control));
        Traces { control, queue, exporter, resource: Resource::default(), delay: Duration::from_secs(3_600) }
    }

    #[test]
    fn after_its_thread_panicked_spans_are_dropped_without_a_wait() {
        let dropped = IntCounter::new("dropped", "Dropped.").unwrap();
        let traces = traces(2, dropped.clone());
        let (control, queue) = (Arc::clone(&traces.control), Arc::clone(&traces.queue));
        (0..3).for_each(|_| queue.push(Span::default()));
        let subscriber = tracing_subscriber::registry().with(Panicking);
        let thread = thread::spawn(|| with_default(subscriber, || traces.run()));
        assert!(thread.join().is_err());

        assert_eq!((queue.len(), dropped.get()), (0, 1), "one more than the exporter's batch");
        queue.push(Span::default());
        assert_eq!((queue.len(), dropped.get()), (0, 2));
        assert!(!control.wait(control.ask(), Instant::now() + Duration::from_secs(3_600)));
    }
}
