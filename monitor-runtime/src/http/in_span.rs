//! Code of a request that is polled and dropped inside the request's span.

use std::pin::Pin;

use pin_project_lite::pin_project;
use tracing::Span;

pin_project! {
    /// A future or a body that belongs to a span. Without a span it costs no more than the value itself.
    #[derive(Debug)]
    pub(super) struct InSpan<T> {
        // None once it has ended.
        #[pin]
        inner: Option<T>,
        span: Option<Span>,
    }

    impl<T> PinnedDrop for InSpan<T> {
        fn drop(this: Pin<&mut Self>) {
            if this.inner.is_some() {
                this.end();
            }
        }
    }
}

impl<T> InSpan<T> {
    #[inline]
    pub(super) fn new(inner: T, span: Option<Span>) -> Self {
        Self { inner: Some(inner), span }
    }

    /// The value, until it has ended.
    pub(super) fn inner(&self) -> Option<&T> {
        self.inner.as_ref()
    }

    /// Polls the value inside the span, and drops it there if `poll` returns `true`, which means that the value has
    /// ended. A value that has ended is not polled.
    ///
    /// `poll` stores its result itself, since a response or a frame is too large to be moved through this function.
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

    /// Moves the span out, once the value has ended.
    #[inline]
    pub(super) fn take_span(self: Pin<&mut Self>) -> Option<Span> {
        self.project().span.take()
    }
}
