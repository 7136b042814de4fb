//! The descriptor of a span: what the span of a call or a request stands for, which its fields alone do not tell.
//!
//! A descriptor is attached to the next span that opens on the thread. The observer's `tracing` layer takes it as the span
//! opens, since names, parents and kinds have to be known by then.

use std::cell::RefCell;

use tracing::Metadata;
use tracing_core::callsite::Identifier;

use super::observer;
use crate::families::CallKind;
use crate::trace_context::TraceContext;

thread_local! {
    /// Between a call or a request and the subscriber, which `tracing` calls without arguments of ours.
    static PENDING: RefCell<Option<SpanDescriptor>> = const { RefCell::new(None) };
}

/// What a span stands for.
#[derive(Debug)]
pub(crate) enum SpanDescriptor {
    /// A tracked call; `operation` is that of a query.
    Call { callsite: Identifier, kind: CallKind, operation: &'static str },
    /// A request.
    Request(Box<RequestDescriptor>),
}

/// A request, as far as its span describes it.
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
    /// Whether it describes that span.
    fn fits(&self, metadata: &Metadata<'_>) -> bool {
        match self {
            Self::Call { callsite, .. } => *callsite == metadata.callsite(),
            // The fields of a request are plain text, so no other span can open before.
            Self::Request(_) => true,
        }
    }
}

/// Attaches a descriptor to the next span opened on this thread while the guard lives. Formatting a field may open another
/// span first, so the descriptor of a call is matched by callsite. Without an observer there is no descriptor.
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
    // Fails while the thread ends: a span that opens then has no descriptor.
    PENDING.try_with(|pending| pending.replace(descriptor)).ok().flatten()
}

/// See [`attach`].
#[derive(Debug)]
pub(crate) struct Attached {
    /// The descriptor of the span whose opening this one is a part of.
    outer: Option<SpanDescriptor>,
}

impl Drop for Attached {
    /// Drops a descriptor that no layer took.
    fn drop(&mut self) {
        let _ = replace(self.outer.take());
    }
}
