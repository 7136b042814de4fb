//! From the request's arrival to the response's head.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tracing::Span;

use super::guard::Guard;
use super::inside::Inside;
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
        inner: Inside<F>,
        guard: Guard,
        id: Option<RequestId>,
    }
}

impl<F> ResponseFuture<F> {
    /// The future of a request that is counted; `id` goes onto the response.
    #[inline]
    pub(super) fn new(inner: F, span: Option<Span>, guard: Guard, id: Option<RequestId>) -> Self {
        Self { inner: Inside::new(inner, span), guard, id }
    }

    /// The future of a request that only passes through.
    pub(super) fn untouched(inner: F) -> Self {
        Self::new(inner, None, Guard::uncounted(), None)
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
        // What has ended waits for ever.
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
                    id.put_on(&mut response);
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
