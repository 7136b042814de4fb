//! The store of a subscriber's open spans, as far as log lines need it.
//!
//! There are two stores: the slots of our own subscriber ([`Slab`](super::slab::Slab)), and the extensions of
//! `tracing-subscriber`'s registry. Only `current_span` decides which one a subscriber has.

use std::sync::Arc;

use tracing::span::Id;

use crate::call::foreign_call::ForeignCall;
use crate::logging::record::fields::Fields;
use crate::trace_context::TraceContext;

/// Open spans, the fields bound in each, and the trace of each.
pub(crate) trait SpanStore {
    /// Binds more fields in the thread's current span, or in the nearest enclosing span that is logged. Returns `false`
    /// if there is none.
    fn extend_current(&self, own: &Fields) -> bool;

    /// Calls `read` once with all fields bound in a span, or not at all if the span is not logged.
    fn read(&self, id: &Id, read: &mut dyn FnMut(&Fields));

    /// Notes that a span, which was just opened, belongs to the trace.
    fn keep_trace(&self, id: &Id, trace: &TraceContext);

    /// The trace of a span, or of the nearest enclosing span with one.
    #[cfg(feature = "runs")]
    fn trace(&self, id: &Id) -> Option<TraceContext>;

    /// The trace of the thread's current span, or of the nearest enclosing span with one.
    fn current_trace(&self) -> Option<TraceContext>;

    /// The model call of the innermost enclosing span that another crate opened for one.
    fn current_call(&self) -> Option<Arc<ForeignCall>>;
}
