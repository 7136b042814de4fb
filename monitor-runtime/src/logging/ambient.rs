//! Reaching the current span from outside of the layer.

use tracing::{Dispatch, Value, dispatcher};
use tracing_core::callsite::Callsite;
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;
use tracing_core::{Level, Metadata, identify_callsite};
use tracing_subscriber::registry::{LookupSpan as _, Registry};

use super::bound;
use super::fields::Fields;
use super::line::with_line;
use super::outlet::Producer;
use super::spans;
use super::subscriber::LogSubscriber;
use super::visit::{Named, Visitor};
use crate::TraceContext;
use crate::cells::exemplars::Identity;

/// Binds `value` in the current span, and says whether there is one that is logged. A value that is none, such as
/// `None`, needs no span.
pub(crate) fn bind(name: &'static str, value: &dyn Value) -> bool {
    with_line(|line| {
        if line.silence().is_some() {
            return true;
        }
        let fields = line.fields();
        if let Some(field) = METADATA.fields().field("value") {
            let place = Named { name, fields: &mut *fields };
            value.record(&field, &mut Visitor { place, keys: &[] });
        }
        fields.is_empty() || dispatcher::get_default(|dispatch| extend_current(dispatch, fields))
    })
}

fn extend_current(dispatch: &Dispatch, fields: &Fields) -> bool {
    if dispatch.is::<LogSubscriber<Producer>>() {
        return spans::innermost().is_some_and(|span| spans::extend(&span, fields));
    }
    let current = dispatch.current_span();
    let registry = dispatch.downcast_ref::<Registry>();
    let span = registry.zip(current.id()).and_then(|(registry, id)| registry.span(id));
    span.is_some_and(|span| bound::extend(span, fields))
}

/// Notes that `span`, which has just been opened, belongs to the trace.
#[cfg(feature = "http")]
pub(crate) fn keep_trace_context(span: &tracing::Span, trace: &TraceContext) {
    span.with_subscriber(|(id, dispatch)| {
        if dispatch.is::<LogSubscriber<Producer>>() {
            return spans::keep_trace(id, trace.clone());
        }
        if let Some(span) = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span(id)) {
            // A layer that gives every span a place of its own has done so already.
            let mut extensions = span.extensions_mut();
            if extensions.get_mut::<TraceContext>().is_none() {
                extensions.insert(trace.clone());
            }
        }
    });
}

/// The trace that the current span belongs to, or the next around it that belongs to one.
pub(crate) fn trace_context() -> Option<TraceContext> {
    dispatcher::get_default(|dispatch| {
        if dispatch.is::<LogSubscriber<Producer>>() {
            return spans::innermost().and_then(|span| spans::trace(&span));
        }
        let current = dispatch.current_span();
        let registry = dispatch.downcast_ref::<Registry>();
        let span = registry.zip(current.id()).and_then(|(registry, id)| registry.span(id))?;
        span.scope().find_map(|span| span.extensions().get::<TraceContext>().cloned())
    })
}

/// The fields that name a call in logs and traces, the best first.
const IDENTITIES: [&str; 3] = ["trace_id", "request_id", "run_id"];

/// The best id that is bound inside `span`, or around it if it is disabled: a number or a text. A text that had to be escaped is
/// no id.
pub(super) fn identify(span: &tracing::Span) -> Option<Identity> {
    let current = span.is_disabled().then(tracing::Span::current);
    let found = current.as_ref().unwrap_or(span).with_subscriber(|(id, dispatch)| {
        let find =
            |bound: &Fields| IDENTITIES.iter().find_map(|name| Identity::new(name, bound.plain(name)?));
        if dispatch.is::<LogSubscriber<Producer>>() {
            return spans::read(id, find);
        }
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        bound::read(span, |bound| find(bound.fields()))
    });
    found??
}

/// Whether the current subscriber is the process's, or there is none: other threads have the same one then.
pub(crate) fn is_everywhere() -> bool {
    dispatcher::get_default(|dispatch| {
        #[cfg(feature = "otlp")]
        if dispatch.is::<super::beside::Everywhere>() {
            return true;
        }
        dispatch.is::<LogSubscriber<Producer>>() || dispatch.is::<tracing::subscriber::NoSubscriber>()
    })
}

/// A value can only be visited together with a field of some callsite. This one is never registered, and the field's
/// name is not looked at.
struct Nowhere;

static NOWHERE: Nowhere = Nowhere;

static METADATA: Metadata<'static> = Metadata::new(
    "bind",
    "monitor_runtime::context",
    Level::INFO,
    None,
    None,
    None,
    FieldSet::new(&["value"], identify_callsite!(&NOWHERE)),
    Kind::SPAN,
);

impl Callsite for Nowhere {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}
