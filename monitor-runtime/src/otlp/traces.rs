//! The export of spans.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::control::Control;
use super::exporter::Exporter;
use super::queue::SpanQueue;
use super::resource::{gen_ai_scope, scope};
use super::semconv::{SCHEMA_URL, gen_ai};
use super::work::Work;

/// Sends the queued spans.
pub(super) struct Traces {
    pub(super) control: Arc<Control>,
    pub(super) queue: Arc<SpanQueue>,
    pub(super) exporter: Exporter,
    pub(super) resource: Resource,
    pub(super) delay: Duration,
}

impl Work for Traces {
    fn pause(&self) -> Duration {
        self.delay
    }

    /// Sends the spans queued by now. Later ones are left for the next turn, which follows at once if they fill a
    /// batch.
    fn turn(&mut self) {
        let mut waiting = self.queue.len();
        while waiting > 0 {
            let spans = self.queue.take();
            self.exporter.take(spans.len());
            waiting = waiting.saturating_sub(spans.len());
            let request = self.request(spans);
            self.exporter.deliver(request, || ());
        }
        if self.queue.has_batch() {
            self.control.hurry();
        }
    }

    fn has_more(&self) -> bool {
        self.queue.len() > 0
    }

    fn exporter(&mut self) -> &mut Exporter {
        &mut self.exporter
    }
}

/// Closes the queue, since nothing empties it any more.
impl Drop for Traces {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Traces {
    fn request(&self, spans: Vec<Span>) -> Vec<u8> {
        let is_gen_ai = |span: &Span| span.attributes.iter().any(|known| known.key == gen_ai::OPERATION_NAME);
        let (gen_ai, others) = spans.into_iter().partition::<Vec<_>, _>(is_gen_ai);
        let scoped = [(scope(), others, SCHEMA_URL), (gen_ai_scope(), gen_ai, "")].into_iter();
        let scope_spans = scoped.filter(|(_, spans, _)| !spans.is_empty()).map(|(scope, spans, schema)| {
            ScopeSpans { scope: Some(scope), spans, schema_url: schema.to_owned() }
        });
        let resource_spans = vec![ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans: scope_spans.collect(),
            schema_url: SCHEMA_URL.to_owned(),
        }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Instant;

    use prometheus::IntCounter;
    use tracing::subscriber::{Subscriber, with_default};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

    use super::super::signal::Signal;
    use super::super::target::{GivenTarget, Target};
    use super::super::variables::Variables;
    use super::super::work::{REPORTS_A_PANIC, run};
    use super::*;

    /// A log layer of the user, which panics at each line, and counts them.
    #[derive(Clone, Default)]
    struct Panicking(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Panicking {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("told to");
        }
    }

    /// Has a deadline of zero, so that each batch is lost and a line reports the first.
    fn traces(batch: usize, dropped: IntCounter) -> Traces {
        let control = Arc::new(Control::default());
        let given = GivenTarget { endpoint: Some("http://127.0.0.1:1".to_owned()), ..GivenTarget::default() };
        let target =
            Target::read(&Variables(&|_: &str| None), Signal::Traces, &given, Duration::ZERO).unwrap();
        let queue = Arc::new(SpanQueue::new(16, batch, Arc::clone(&control), dropped));
        let exporter = Exporter::new(Signal::Traces, target, Arc::clone(&control)).unwrap();
        Traces { control, queue, exporter, resource: Resource::default(), delay: Duration::from_secs(3_600) }
    }

    #[test]
    fn the_export_outlives_a_panic_and_counts_its_batch_once() {
        let _alone = REPORTS_A_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = IntCounter::new("dropped", "Dropped.").unwrap();
        let mut traces = traces(2, dropped.clone());
        let exported = IntCounter::new("exported", "What the exporter counts.").unwrap();
        traces.exporter.count_in(exported.clone());
        let (control, queue) = (Arc::clone(&traces.control), Arc::clone(&traces.queue));
        let (layer, worker) = (Panicking::default(), Arc::clone(&control));
        let subscriber = tracing_subscriber::registry().with(layer.clone());
        (0..3).for_each(|_| queue.push(Span::default()));
        let thread = thread::spawn(move || with_default(subscriber, || run(traces, &worker)));
        let until = Instant::now() + Duration::from_secs(3_600);

        assert!(control.wait(control.ask(), until), "the turn with the panic is answered");
        assert_eq!((queue.len(), exported.get()), (0, 3), "the batch of the panic, and that after it");
        assert_eq!(layer.0.load(Ordering::Relaxed), 2, "the outage, and the panic");
        queue.push(Span::default());
        assert!(control.wait(control.ask(), until), "it goes on");
        assert_eq!((queue.len(), exported.get(), dropped.get()), (0, 4, 0));

        queue.push(Span::default());
        control.stop(until);
        thread.join().unwrap();
        assert_eq!((queue.len(), exported.get(), dropped.get()), (0, 5, 0));
        queue.push(Span::default());
        assert_eq!((queue.len(), dropped.get()), (0, 1), "nobody takes it any more");
        assert!(!control.wait(control.ask(), until), "and nobody waits for a thread that is gone");
    }
}
