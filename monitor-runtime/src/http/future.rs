//! From the request's arrival to the response's head.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span};

use super::guard::Guard;
use super::{RequestId, ResponseBody};

pin_project! {
    /// The response future of [`HttpService`](super::HttpService).
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it counts the request as 499, and drops what it holds inside the request's span.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: Instrumented<F>,
        guard: Guard,
        id: Option<RequestId>,
    }
}

impl<F> ResponseFuture<F> {
    /// The future of a request that is counted; `id` goes onto the response.
    pub(super) fn new(inner: Instrumented<F>, guard: Guard, id: Option<RequestId>) -> Self {
        Self { inner, guard, id }
    }

    /// The future of a request that only passes through.
    pub(super) fn untouched(inner: F) -> Self {
        Self { inner: inner.instrument(Span::none()), guard: Guard::uncounted(), id: None }
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
        match this.guard.run(|| this.inner.as_mut().poll(cx)) {
            Poll::Ready(Ok(mut response)) => {
                if let Some(id) = this.id.take() {
                    id.put_on(&mut response);
                }
                Poll::Ready(Ok(ResponseBody::wrap(response, this.guard.take(), this.inner.span().clone())))
            }
            Poll::Ready(Err(error)) => {
                this.guard.fail();
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
