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
                let mut this = this.project();
                let _entered = this.span.as_ref().map(Span::enter);
                this.inner.set(None);
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

    /// Polls what has not ended, and drops it if that `is_the_end`, all in one visit to the span.
    #[inline]
    pub(super) fn poll<R>(
        self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut T>) -> R,
        is_the_end: impl FnOnce(&R, &T) -> bool,
    ) -> Option<R> {
        let mut this = self.project();
        let mut inner = this.inner.as_mut().as_pin_mut()?;
        let _entered = this.span.as_ref().map(Span::enter);
        let polled = poll(inner.as_mut());
        if is_the_end(&polled, &inner) {
            this.inner.set(None);
        }
        Some(polled)
    }

    /// Hands the span on, once nothing is inside any more.
    #[inline]
    pub(super) fn take_span(self: Pin<&mut Self>) -> Option<Span> {
        self.project().span.take()
    }
}
