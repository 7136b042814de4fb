//! What is polled and dropped inside the span of its request.

use std::pin::Pin;

use pin_project_lite::pin_project;
use tracing::Span;

pin_project! {
    /// A future or a body that belongs to a span; without one it costs no more than itself.
    #[derive(Debug)]
    pub(super) struct Inside<T> {
        // None once it has ended.
        #[pin]
        inner: Option<T>,
        span: Option<Span>,
    }

    impl<T> PinnedDrop for Inside<T> {
        fn drop(this: Pin<&mut Self>) {
            if this.inner.is_some() {
                this.end();
            }
        }
    }
}

impl<T> Inside<T> {
    #[inline]
    pub(super) fn new(inner: T, span: Option<Span>) -> Self {
        Self { inner: Some(inner), span }
    }

    /// What has not ended.
    pub(super) fn inner(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Polls what has not ended inside the span, and drops it there if `poll` says that this is its end.
    ///
    /// What was polled is for `poll` to keep: a response or a frame is too large to be handed through here.
    #[inline]
    pub(super) fn poll(self: Pin<&mut Self>, poll: impl FnOnce(Pin<&mut T>) -> bool) {
        let mut this = self.project();
        if let Some(inner) = this.inner.as_mut().as_pin_mut() {
            let _entered = this.span.as_ref().map(Span::enter);
            if poll(inner) {
                this.inner.set(None);
            }
        }
    }

    #[cold]
    fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _entered = this.span.as_ref().map(Span::enter);
        this.inner.set(None);
    }

    /// Hands the span on, once nothing is inside any more.
    #[inline]
    pub(super) fn take_span(self: Pin<&mut Self>) -> Option<Span> {
        self.project().span.take()
    }
}
