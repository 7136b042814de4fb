//! The current span, for code outside of the subscriber: bind in it, read from it, name its trace.

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
use crate::TraceContext;
use crate::cells::exemplars::Identity;

/// Where the subscriber keeps its spans; nowhere that lines could reach, if it is neither ours nor built on a registry.
///
/// The only place that chooses between the stores.
fn store(dispatch: &Dispatch) -> Option<&dyn SpanStore> {
    if is_log_subscriber(dispatch) {
        return Some(&Slab);
    }
    dispatch.downcast_ref::<Registry>().map(|registry| registry as &dyn SpanStore)
}

fn is_log_subscriber(dispatch: &Dispatch) -> bool {
    dispatch.is::<LogSubscriber<Producer>>()
}

/// Binds `value` in the current span. Returns `false` if there is no span that is logged. A value that is none, such as
/// `None`, needs no span.
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

/// Notes that `span`, which has just been opened, belongs to the trace.
#[cfg(feature = "http")]
pub(crate) fn keep_trace_context(span: &tracing::Span, trace: &TraceContext) {
    span.with_subscriber(|(id, dispatch)| store(dispatch).map(|spans| spans.keep_trace(id, trace)));
}

/// The trace that the current span belongs to, or the next around it that belongs to one.
pub(crate) fn trace_context() -> Option<TraceContext> {
    dispatcher::get_default(|dispatch| store(dispatch)?.current_trace())
}

/// The fields that name a call in logs and traces, the best first.
const IDENTITIES: [&str; 3] = ["trace_id", "request_id", "run_id"];

/// The best id that is bound inside `span`, or around it if it is disabled: a number or a text. A text that had to be escaped is
/// no id.
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

/// Whether the current subscriber is the process's, or there is none: other threads have the same one then.
pub(crate) fn is_global_default() -> bool {
    dispatcher::get_default(|dispatch| {
        is_log_subscriber(dispatch) || dispatch.is::<GlobalMarker>() || dispatch.is::<NoSubscriber>()
    })
}

/// A value can only be visited together with a field of some callsite. This one is never registered, and the field's
/// name is not looked at.
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
