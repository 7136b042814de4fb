//! The response future: from the request's arrival to the head of its response.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tracing::Span;

use super::body::ResponseBody;
use super::guard::RequestGuard;
use super::in_span::InSpan;
use super::request_id::RequestId;

pin_project! {
    /// The response future of [`HttpService`](super::HttpService).
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, the request is counted as 499. The inner future is dropped inside the
    /// request's span.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: InSpan<F>,
        guard: RequestGuard,
        id: Option<RequestId>,
    }
}

impl<F> ResponseFuture<F> {
    /// Makes the future of a counted request; `id` goes onto the response.
    #[inline]
    pub(super) fn new(inner: F, span: Option<Span>, guard: RequestGuard, id: Option<RequestId>) -> Self {
        Self { inner: InSpan::new(inner, span), guard, id }
    }

    /// Makes the future of a request that only passes through.
    pub(super) fn uncounted(inner: F) -> Self {
        Self::new(inner, None, RequestGuard::uncounted(), None)
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let inner = this.inner.as_mut();
        // Polled again after its end, it stays pending.
        let mut polled = Poll::Pending;
        this.guard.enter();
        inner.poll(|inner| {
            polled = inner.poll(cx);
            polled.is_ready()
        });
        this.guard.leave();
        match polled {
            Poll::Ready(Ok(mut response)) => {
                if let Some(id) = this.id.take().filter(|_| !this.guard.is_probe()) {
                    id.set_on(&mut response);
                }
                Poll::Ready(Ok(ResponseBody::wrap(response, this.guard.take(), this.inner.take_span())))
            }
            Poll::Ready(Err(error)) => {
                this.guard.fail();
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
