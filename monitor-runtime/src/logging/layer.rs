//! The `tracing` layer: renders what spans bind, and the lines of events.

use std::fmt::Debug;

use prometheus::IntCounter;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::bound::{self, Bound};
use super::line::{Look, rank, with_line};
use super::visit::Visitor;
use crate::registry::process::{self, LEVELS};

/// Where finished lines go.
pub(crate) trait Sink: Debug + Send + Sync + 'static {
    /// Takes one line, in two parts.
    fn push(&self, line: [&[u8]; 2]);
}

/// The layer behind every log line of ours.
#[derive(Debug)]
pub(crate) struct LogLayer<K> {
    sink: K,
    look: Look,
    /// `log_events_total`, by [`rank`].
    events: [IntCounter; 5],
    /// Set when the layer's filter is that of the whole, global subscriber; as part of this layer it spares every
    /// span and event the way through another one.
    global_filter: Option<Targets>,
}

impl<K: Sink> LogLayer<K> {
    pub(super) fn new(sink: K, look: Look) -> Self {
        let events = LEVELS.map(|level| process::metrics().log_events.with_label_values(&[level]));
        Self { sink, look, events, global_filter: None }
    }

    /// A layer that writes JSON and filters nothing.
    #[cfg(feature = "testing")]
    pub(crate) fn json(sink: K) -> Self {
        Self::new(sink, Look::Json)
    }

    /// Makes it the process's own layer, which decides for the whole subscriber what is recorded.
    pub(super) fn global(self, filter: Targets) -> Self {
        Self { global_filter: Some(filter), ..self }
    }

    #[cfg(feature = "health")]
    pub(super) fn is_global(&self) -> bool {
        self.global_filter.is_some()
    }
}

impl<S, K> Layer<S> for LogLayer<K>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    K: Sink,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let filter = self.global_filter.as_ref();
        filter.map_or_else(Interest::always, |filter| Layer::<S>::register_callsite(filter, metadata))
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.global_filter.as_ref().is_none_or(|filter| Layer::<S>::enabled(filter, metadata, context))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.global_filter.as_ref().and_then(Layer::<S>::max_level_hint)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        with_line(|line| {
            let own = line.fields();
            attributes.record(&mut Visitor(&mut *own));
            let Some(span) = context.span(id) else { return };
            let bound =
                span.parent().and_then(|parent| bound::read(parent, |outer| Bound::new(Some(outer), own)));
            span.extensions_mut().replace(bound.unwrap_or_else(|| Bound::new(None, own)));
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        with_line(|line| {
            let own = line.fields();
            values.record(&mut Visitor(&mut *own));
            context.span(id).map(|span| bound::extend(span, own));
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        with_line(|line| {
            if line.is_muted() {
                return;
            }
            let rendered = line.render(self.look, event, &context);
            // Counted once it can no longer come to nothing: emitted is written plus dropped.
            self.events[rank(*event.metadata().level())].inc();
            self.sink.push(rendered);
        });
    }
}
