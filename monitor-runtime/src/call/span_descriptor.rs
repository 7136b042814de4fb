//! The descriptor of a span: facts about its call or request that its fields do not contain.
//!
//! A descriptor is attached to the next span that opens on the thread. The observer's `tracing` layer takes it when the
//! span opens, since name, parent and kind must be known by then.

use std::borrow::Cow;
use std::cell::RefCell;

use tracing::Metadata;
use tracing_core::callsite::Identifier;

use super::observer;
use crate::families::CallKind;
use crate::trace_context::TraceContext;

thread_local! {
    /// Passes the descriptor from a call or a request to the subscriber, which `tracing` calls without arguments of
    /// ours.
    static PENDING: RefCell<Option<SpanDescriptor>> = const { RefCell::new(None) };
}

/// The descriptor of a span.
#[derive(Debug)]
pub(crate) enum SpanDescriptor {
    /// A tracked call; `operation` is set for queries and models, and `provider` for models.
    Call { callsite: Identifier, kind: CallKind, operation: &'static str, provider: Cow<'static, str> },
    /// A request.
    Request(Box<RequestDescriptor>),
}

/// The facts about a request that its span needs.
#[derive(Debug)]
pub(crate) struct RequestDescriptor {
    /// The `method` label: `OTHER` for an unknown method.
    pub(crate) method: &'static str,
    /// The route template, if it is known yet.
    pub(crate) route: Option<String>,
    pub(crate) path: String,
    pub(crate) scheme: &'static str,
    /// The remote parent.
    pub(crate) caller: Option<TraceContext>,
}

impl SpanDescriptor {
    /// Whether the descriptor belongs to the span with this metadata.
    fn fits(&self, metadata: &Metadata<'_>) -> bool {
        match self {
            Self::Call { callsite, .. } => *callsite == metadata.callsite(),
            // The fields of a request are plain text, so formatting them opens no other span.
            Self::Request(_) => true,
        }
    }
}

/// Attaches a descriptor to the next span opened on this thread while the guard lives. Formatting a field may open
/// another span first, so the descriptor of a call is matched by callsite. Without an observer there is no descriptor.
#[inline]
pub(crate) fn attach(descriptor: impl FnOnce() -> SpanDescriptor) -> Option<Attached> {
    observer::is_observed().then(|| Attached { outer: replace(Some(descriptor())) })
}

/// Takes the descriptor of the span that is being opened.
pub(crate) fn take(metadata: &Metadata<'_>) -> Option<SpanDescriptor> {
    let take = |pending: &RefCell<Option<SpanDescriptor>>| {
        pending.try_borrow_mut().ok()?.take_if(|descriptor| descriptor.fits(metadata))
    };
    PENDING.try_with(take).ok().flatten()
}

fn replace(descriptor: Option<SpanDescriptor>) -> Option<SpanDescriptor> {
    // Fails while the thread ends; a span opened then has no descriptor.
    PENDING.try_with(|pending| pending.replace(descriptor)).ok().flatten()
}

/// The guard of [`attach`].
#[derive(Debug)]
pub(crate) struct Attached {
    /// The descriptor of an outer span whose opening caused this one.
    outer: Option<SpanDescriptor>,
}

impl Drop for Attached {
    /// Drops a descriptor that no layer took.
    fn drop(&mut self) {
        let _ = replace(self.outer.take());
    }
}
