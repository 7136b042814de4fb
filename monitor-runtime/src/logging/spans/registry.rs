//! The spans of `tracing-subscriber`'s registry; fields and trace are kept in each span's extensions.

use std::sync::Arc;

use tracing::Subscriber as _;
use tracing::span::Id;
use tracing_subscriber::registry::{LookupSpan, Registry, SpanRef};

use super::span_fields::SpanFields;
use super::store::SpanStore;
use crate::call::foreign_call::ForeignCall;
use crate::logging::record::fields::Fields;
use crate::trace_context::TraceContext;

impl SpanStore for Registry {
    fn extend_current(&self, own: &Fields) -> bool {
        current(self).is_some_and(|span| extend(span, own))
    }

    fn read(&self, id: &Id, visit: &mut dyn FnMut(&Fields)) {
        self.span(id).and_then(|span| read(span, |bound| visit(bound.fields())));
    }

    fn keep_trace(&self, id: &Id, trace: &TraceContext) {
        let Some(span) = self.span(id) else { return };
        // A layer that gives every span its own ids, such as the OTLP layer, has already done this.
        let mut extensions = span.extensions_mut();
        if extensions.get_mut::<TraceContext>().is_none() {
            extensions.insert(trace.clone());
        }
    }

    #[cfg(feature = "runs")]
    fn trace(&self, id: &Id) -> Option<TraceContext> {
        trace_of(&self.span(id)?)
    }

    fn current_trace(&self) -> Option<TraceContext> {
        trace_of(&current(self)?)
    }

    fn current_call(&self) -> Option<Arc<ForeignCall>> {
        call_of(&current(self)?)
    }
}

/// The model call of a span itself.
pub(crate) fn own_call<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Arc<ForeignCall>> {
    span.extensions().get::<Arc<ForeignCall>>().cloned()
}

/// The model call of a span, or of its nearest ancestor with one.
pub(crate) fn call_of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Arc<ForeignCall>> {
    span.scope().find_map(|span| own_call(&span))
}

fn trace_of(span: &SpanRef<'_, Registry>) -> Option<TraceContext> {
    span.scope().find_map(|span| span.extensions().get::<TraceContext>().cloned())
}

fn current(registry: &Registry) -> Option<SpanRef<'_, Registry>> {
    registry.span(registry.current_span().id()?)
}

/// Reads the fields bound in `span`, or in its nearest ancestor that the layer has seen.
pub(crate) fn read<'a, S, T>(span: SpanRef<'a, S>, read: impl FnOnce(&SpanFields) -> T) -> Option<T>
where
    S: LookupSpan<'a>,
{
    let mut next = Some(span);
    while let Some(span) = next {
        if let Some(bound) = span.extensions().get::<SpanFields>() {
            return Some(read(bound));
        }
        next = span.parent();
    }
    None
}

/// Binds more fields in `span`, or in its nearest ancestor that the layer has seen. Returns `false` if there is none.
pub(crate) fn extend<'a, S>(span: SpanRef<'a, S>, own: &Fields) -> bool
where
    S: LookupSpan<'a>,
{
    let mut next = Some(span);
    while let Some(span) = next {
        if let Some(bound) = span.extensions_mut().get_mut::<SpanFields>() {
            bound.rebind(own);
            return true;
        }
        next = span.parent();
    }
    false
}

/// Binds the span's own ids, if the log layer has seen the span; otherwise [`name_span_as_known`] does it later.
pub(crate) fn name_span<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, trace: &TraceContext) {
    if let Some(bound) = span.extensions_mut().get_mut::<SpanFields>() {
        for (name, id) in [("trace_id", trace.trace_id()), ("span_id", trace.span_id())] {
            bound.bind_id(name, &format!("\"{id}\""));
        }
    }
}

/// Binds the ids that another layer gave to the span before this layer saw it.
pub(crate) fn name_span_as_known<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) {
    let trace = span.extensions().get::<TraceContext>().cloned();
    if let Some(trace) = trace {
        name_span(span, &trace);
    }
}
