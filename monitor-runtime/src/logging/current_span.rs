//! Access to the current span from outside of the subscriber: binding fields, reading them, and its trace.

use std::sync::Arc;

use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Value, dispatcher};
use tracing_core::callsite::Callsite;
use tracing_core::field::FieldSet;
use tracing_core::metadata::Kind;
use tracing_core::subscriber::Interest;
use tracing_core::{Level, Metadata, identify_callsite};
use tracing_subscriber::registry::Registry;

use super::output::pipeline::Producer;
use super::record::line::with_line;
use super::record::visit::{NamedSink, Visitor};
use super::spans::slab::Slab;
use super::spans::store::SpanStore;
use super::subscriber::{GlobalMarker, LogSubscriber};
use crate::call::foreign_call::ForeignCall;
use crate::cells::exemplars::Identity;
use crate::json;
use crate::trace_context::TraceContext;

/// The store of the subscriber's spans; `None` if the subscriber is neither ours nor built on a registry.
///
/// This is the only function that chooses between the stores.
fn store(dispatch: &Dispatch) -> Option<&dyn SpanStore> {
    if is_log_subscriber(dispatch) {
        return Some(&Slab);
    }
    dispatch.downcast_ref::<Registry>().map(|registry| registry as &dyn SpanStore)
}

fn is_log_subscriber(dispatch: &Dispatch) -> bool {
    dispatch.is::<LogSubscriber<Producer>>()
}

/// Binds `value` in the current span. Returns `false` if no logged span is open. An empty value, such as `None`, needs
/// no span.
pub(crate) fn bind(name: &'static str, value: &dyn Value) -> bool {
    with_line(|line| {
        if line.muted().is_some() {
            return true;
        }
        let fields = line.fields();
        if let Some(field) = BIND_METADATA.fields().field("value") {
            let sink = NamedSink { name, fields: &mut *fields };
            value.record(&field, &mut Visitor { sink, keys: &[] });
        }
        let extend = |dispatch: &Dispatch| store(dispatch).is_some_and(|spans| spans.extend_current(fields));
        fields.is_empty() || dispatcher::get_default(extend)
    })
}

/// Notes that `span`, which was just opened, belongs to the trace.
pub(crate) fn keep_trace_context(span: &tracing::Span, trace: &TraceContext) {
    span.with_subscriber(|(id, dispatch)| store(dispatch).map(|spans| spans.keep_trace(id, trace)));
}

/// The trace of the current span, or of the next enclosing span with one.
pub(crate) fn trace_context() -> Option<TraceContext> {
    dispatcher::get_default(|dispatch| store(dispatch)?.current_trace())
}

/// The model call of the innermost enclosing span that another crate opened for one.
pub(super) fn foreign_call() -> Option<Arc<ForeignCall>> {
    dispatcher::get_default(|dispatch| store(dispatch)?.current_call())
}

/// The text bound as `name` in the current span; `None` if nothing is, or a value that is not text.
pub(crate) fn bound_text(name: &str) -> Option<String> {
    let found = tracing::Span::current().with_subscriber(|(id, dispatch)| {
        let mut found = None;
        store(dispatch)?.read(id, &mut |bound| {
            let value = bound.iter().find(|field| field.key() == name.as_bytes()).map(|field| field.value());
            found = value.and_then(json::read_str);
        });
        found
    });
    found?
}

/// The id of the trace of `span`, or of the current span if `span` is disabled.
#[cfg(feature = "runs")]
pub(super) fn trace_id(span: &tracing::Span) -> Option<[u8; 16]> {
    let current = span.is_disabled().then(tracing::Span::current);
    let trace = current.as_ref().unwrap_or(span).with_subscriber(|(id, dispatch)| store(dispatch)?.trace(id));
    u128::from_str_radix(trace??.trace_id(), 16).ok().map(u128::to_be_bytes)
}

/// The fields that identify a call in logs and traces, the preferred one first.
const IDENTITIES: [&str; 3] = ["trace_id", "request_id", "run_id"];

/// The preferred id that is bound in `span`, or in the current span if `span` is disabled. It is a number or a text
/// without escapes.
pub(super) fn identify(span: &tracing::Span) -> Option<Identity> {
    let current = span.is_disabled().then(tracing::Span::current);
    let found = current.as_ref().unwrap_or(span).with_subscriber(|(id, dispatch)| {
        let mut found = None;
        store(dispatch)?.read(id, &mut |bound| {
            found = IDENTITIES.iter().find_map(|name| Identity::new(name, bound.plain(name)?));
        });
        found
    });
    found?
}

/// Whether all threads have the same subscriber: the current one is the process's, or there is none.
pub(crate) fn is_global_default() -> bool {
    dispatcher::get_default(|dispatch| {
        is_log_subscriber(dispatch) || dispatch.is::<GlobalMarker>() || dispatch.is::<NoSubscriber>()
    })
}

/// The callsite of bound values: `tracing` visits a value only together with a field of a callsite. It is never
/// registered, and the name of its field is not used.
struct BindCallsite;

static BIND_CALLSITE: BindCallsite = BindCallsite;

static BIND_METADATA: Metadata<'static> = Metadata::new(
    "bind",
    "monitor_runtime::context",
    Level::INFO,
    None,
    None,
    None,
    FieldSet::new(&["value"], identify_callsite!(&BIND_CALLSITE)),
    Kind::SPAN,
);

impl Callsite for BindCallsite {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &BIND_METADATA
    }
}
