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
use super::output::sink::{LineSink, Lines};
use super::record::line::with_line;
use super::spans::slab;

/// Writes lines, filters events and spans, and keeps the open spans.
#[derive(Debug)]
pub(super) struct LogSubscriber<K> {
    lines: Lines<K>,
    filter: LogFilter,
}

impl<K: LineSink> LogSubscriber<K> {
    pub(super) fn new(lines: Lines<K>, filter: LogFilter) -> Self {
        Self { lines, filter }
    }
}

/// A layer that records nothing. It marks its subscriber as the process's.
pub(super) struct GlobalMarker;

impl<S: Subscriber> tracing_subscriber::Layer<S> for GlobalMarker {}

impl<K: LineSink> Subscriber for LogSubscriber<K> {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        copies::note(metadata);
        self.filter.interest(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.is_enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter.max_level())
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let around = attributes.is_contextual().then(slab::innermost).flatten();
        let parent = around.as_ref().or_else(|| attributes.parent());
        with_line(|line| {
            let (own, is_agent) = line.bind(attributes);
            slab::open(attributes.metadata(), parent, own, is_agent)
        })
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
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
