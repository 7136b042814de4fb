//! Where a `tracing` subscriber keeps its open spans, as far as log lines need it.
//!
//! There are two: the slots of our own subscriber ([`Slab`](super::slab::Slab)), and the extensions of the registry that
//! `tracing-subscriber` offers to layers. Which of them a subscriber has is decided in `current_span` alone.

use tracing::span::Id;

use crate::TraceContext;
use crate::logging::record::fields::Fields;

/// Open spans with what is bound inside each, and the trace it belongs to.
pub(crate) trait SpanStore {
    /// Binds more in this thread's current span, or in the next span around it that is logged. Returns `false` if there is
    /// no such span.
    fn extend_current(&self, own: &Fields) -> bool;

    /// Calls `read` once with the fields bound inside a span, its parents' included; not at all if no line shows the span.
    fn read(&self, id: &Id, read: &mut dyn FnMut(&Fields));

    /// Notes that a span, which has just been opened, belongs to the trace.
    #[cfg(feature = "http")]
    fn keep_trace(&self, id: &Id, trace: &TraceContext);

    /// The trace of this thread's current span, or of the next span around it that belongs to one.
    fn current_trace(&self) -> Option<TraceContext>;
}
