//! The subscriber of a process that logs by [`init`](super::init): our lines and nothing else.
//!
//! It does the same as `tracing-subscriber`'s registry with a [`LogLayer`](super::layer::LogLayer), at a fraction of
//! the cost: the only layer is known at compile time, and needs only the bound fields of a span.

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_core::span::Current;

use super::copies;
use super::filter::LogFilter;
use super::genai_spans;
use super::output::sink::{LineSink, Lines};
use super::record::callsite_cache::SpanKind;
use super::record::line::with_line;
use super::spans::slab;

/// Writes lines, filters events and spans, and keeps the open spans.
#[derive(Debug)]
pub(super) struct LogSubscriber<K> {
    lines: Lines<K>,
    filter: LogFilter,
    /// Whether the spans of other crates' model calls are read.
    reads_calls: bool,
}

impl<K: LineSink> LogSubscriber<K> {
    pub(super) fn new(lines: Lines<K>, filter: LogFilter, reads_calls: bool) -> Self {
        Self { lines, filter, reads_calls }
    }

    /// Opens a span, and the model call of another crate that it may be.
    #[cold]
    fn open_reading(&self, attributes: &Attributes<'_>) -> Id {
        let (id, kind) = open(attributes);
        if kind == SpanKind::ForeignCall && self.reads_calls {
            if let Some(call) = genai_spans::open(attributes, slab::innermost_call) {
                slab::keep_call(&id, call);
            }
        }
        id
    }
}

fn open(attributes: &Attributes<'_>) -> (Id, SpanKind) {
    let around = attributes.is_contextual().then(slab::innermost).flatten();
    let parent = around.as_ref().or_else(|| attributes.parent());
    with_line(|line| {
        let (own, kind) = line.bind(attributes);
        (slab::open(attributes.metadata(), parent, own, kind), kind)
    })
}

#[cold]
fn record_reading(id: &Id, values: &Record<'_>) {
    if let Some(call) = with_line(|line| slab::extend_with_call(id, line.record(values))) {
        genai_spans::record(&call, values);
    }
}

/// A layer that records nothing. It marks its subscriber as the process's.
pub(super) struct GlobalMarker;

impl<S: Subscriber> tracing_subscriber::Layer<S> for GlobalMarker {}

impl<K: LineSink> Subscriber for LogSubscriber<K> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        copies::note(metadata);
        genai_spans::note(metadata);
        self.filter.interest(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.is_enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.max_level())
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        // Whole functions, so that the usual way keeps no values for the other one.
        if genai_spans::are_there() { self.open_reading(attributes) } else { open(attributes).0 }
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        if genai_spans::are_there() {
            return record_reading(id, values);
        }
        with_line(|line| slab::extend(id, line.record(values)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let around = event.is_contextual().then(slab::innermost).flatten();
        let span = around.as_ref().or_else(|| event.parent());
        self.lines.write(event, |fields| {
            span.map(|span| slab::read(span, |bound| fields.copy_from(bound)));
        });
    }

    fn enter(&self, id: &Id) {
        slab::enter(id);
    }

    fn exit(&self, id: &Id) {
        slab::exit(id);
    }

    fn clone_span(&self, id: &Id) -> Id {
        slab::retain(id);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        slab::release(&id)
    }

    fn current_span(&self) -> Current {
        slab::current()
    }
}
