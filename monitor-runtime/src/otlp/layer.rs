//! The `tracing` layer that exports spans.

use std::sync::Arc;

use opentelemetry::{SpanId, TraceId};
use opentelemetry_proto::tonic::trace::v1::{Span, SpanFlags};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes as Values, Id, Record};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::attributes::Attributes;
use super::described;
use super::queue::SpanQueue;
use super::sampling::Sampling;
use super::span::{OpenSpan, PLAIN, now};
use crate::call::CallId;
use crate::call::span_descriptor::{self, SpanDescriptor};
use crate::logging;
use crate::trace_context::TraceContext;

/// Gives every span its ids, and queues each recorded span when it closes.
#[derive(Clone, Debug)]
pub(super) struct SpanLayer {
    sampling: Sampling,
    queue: Arc<SpanQueue>,
}

impl SpanLayer {
    pub(super) fn new(sampling: Sampling, queue: Arc<SpanQueue>) -> Self {
        Self { sampling, queue }
    }

    /// Adds a filter: spans of level `info` or more severe, whatever other layers record.
    pub(super) fn filtered<S>(self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    {
        let is_exported = |metadata: &Metadata<'_>| metadata.is_span() && *metadata.level() <= Level::INFO;
        self.with_filter(FilterFn::new(is_exported).with_max_level_hint(LevelFilter::INFO))
    }
}

/// The parent of a new span.
struct Parent {
    trace: TraceContext,
    is_remote: bool,
}

impl Parent {
    /// The innermost enclosing span with a trace, otherwise the remote parent.
    fn of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, caller: Option<&TraceContext>) -> Option<Self> {
        let around = span.parent().into_iter().flat_map(|parent| parent.scope());
        let mut traces = around.filter_map(|span| span.extensions().get::<TraceContext>().cloned());
        let local = traces.next().map(|trace| Self { trace, is_remote: false });
        local.or_else(|| caller.map(|trace| Self { trace: trace.clone(), is_remote: true }))
    }
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_new_span(&self, values: &Values<'_>, id: &Id, context: Context<'_, S>) {
        let descriptor = span_descriptor::take(values.metadata());
        let Some(span) = context.span(id) else { return };
        let parent = Parent::of(&span, descriptor.as_ref().and_then(described::caller));
        let trace = self.place(parent.as_ref());
        let open = trace.is_sampled().then(|| open(values, descriptor, &trace, parent.as_ref()));
        logging::name_span(&span, &trace);
        let mut extensions = span.extensions_mut();
        extensions.replace(trace);
        if let Some(open) = open {
            extensions.replace(open);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // Formatted before the span is locked, since the code of a value may access the span.
        let mut later = Vec::new();
        values.record(&mut Attributes(&mut later));
        if let Some(open) = span.extensions_mut().get_mut::<OpenSpan>() {
            open.span.attributes.retain(|known| !later.iter().any(|new| new.key == known.key));
            open.span.attributes.append(&mut later);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let open = context.span(&id).and_then(|span| span.extensions_mut().remove::<OpenSpan>());
        if let Some(span) = open.and_then(OpenSpan::close) {
            self.queue.push(span);
        }
    }
}

impl SpanLayer {
    /// The trace context of a new span, including the sampling decision.
    fn place(&self, parent: Option<&Parent>) -> TraceContext {
        let ids = RandomIdGenerator::default();
        let span = ids.new_span_id().to_bytes();
        let Some(Parent { trace, is_remote }) = parent else {
            let id = ids.new_trace_id();
            return TraceContext::new(id.to_bytes(), span, self.sampling.decide(None, id));
        };
        let is_sampled = if *is_remote {
            self.sampling.decide(Some(trace), TraceId::from_bytes(trace.trace_id_bytes()))
        } else {
            trace.is_sampled()
        };
        trace.child(span, is_sampled)
    }
}

/// Collects everything known about a span when it opens.
fn open(
    values: &Values<'_>,
    descriptor: Option<SpanDescriptor>,
    trace: &TraceContext,
    parent: Option<&Parent>,
) -> OpenSpan {
    let mut attributes = Vec::new();
    values.record(&mut Attributes(&mut attributes));
    let is_described = descriptor.is_some();
    let kind = descriptor.as_ref().map_or(PLAIN, described::kind);
    let name = match descriptor {
        Some(descriptor) => described::name(descriptor, &mut attributes),
        None => values.metadata().name().to_owned(),
    };
    let parent_span_id = parent.map_or(SpanId::INVALID.to_bytes(), |parent| parent.trace.span_id_bytes());
    let span = Span {
        trace_id: trace.trace_id_bytes().to_vec(),
        span_id: trace.span_id_bytes().to_vec(),
        trace_state: trace.tracestate().unwrap_or_default().to_owned(),
        parent_span_id: if parent.is_some() { parent_span_id.to_vec() } else { Vec::new() },
        flags: flags(parent),
        name,
        kind: kind.into(),
        start_time_unix_nano: now(),
        attributes,
        ..Span::default()
    };
    let mut open = OpenSpan::new(span, is_described);
    // A call's span gets its run when the call begins, since the first call of a run begins that too.
    if !is_described {
        open.put_run(CallId::current());
    }
    open
}

/// The trace flags: always sampled, since only recorded spans are exported, and whether the parent is remote.
fn flags(parent: Option<&Parent>) -> u32 {
    const SAMPLED: u32 = 1;
    let is_remote = parent.is_some_and(|parent| parent.is_remote);
    let remote = if is_remote { SpanFlags::ContextIsRemoteMask as u32 } else { 0 };
    SAMPLED | SpanFlags::ContextHasIsRemoteMask as u32 | remote
}
