//! From the response's head to the end of its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::{Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span};

use super::guard::Guard;
use super::method;

pin_project! {
    /// The response body of [`HttpService`](super::HttpService): the inner body, frame by frame.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end it counts the request as 499, and drops the inner body inside the request's span.
    #[derive(Debug)]
    pub struct ResponseBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: Instrumented<NextFrame<B>>,
        guard: Guard,
        // What the request counts as when the body ends.
        status: u16,
        // Bytes still to come, when that is known.
        remaining: Option<u64>,
    }

    impl<B> PinnedDrop for ResponseBody<B>
    where
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // A body may come to its end while nobody polls it, and a server that sees so does not poll it again.
            if this.guard.is_waiting() && this.inner.inner().body.is_end_stream() {
                this.guard.settle(*this.status);
            }
        }
    }
}

impl<B: Body> ResponseBody<B> {
    /// Puts itself around the response's body, or settles the request at once if no body will be sent.
    pub(super) fn wrap(response: Response<B>, mut guard: Guard, span: Span) -> Response<Self> {
        let (status, remaining) = (response.status(), length(&response));
        if let Some(method) = guard.method()
            && (is_bodiless(method, status) || remaining == Some(0) || response.body().is_end_stream())
        {
            guard.settle(status.as_u16());
        }
        response.map(|body| Self {
            inner: NextFrame { body }.instrument(span),
            guard,
            status: status.as_u16(),
            remaining,
        })
    }
}

/// A body that belongs to no request.
impl<B: Body + Default> Default for ResponseBody<B> {
    fn default() -> Self {
        let inner = NextFrame { body: B::default() }.instrument(Span::none());
        Self { inner, guard: Guard::uncounted(), status: StatusCode::OK.as_u16(), remaining: None }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let polled = ready!(this.guard.run(|| this.inner.as_mut().poll(cx)));
        match &polled {
            Some(Err(_)) => this.guard.fail(),
            Some(Ok(frame))
                if !is_last(frame, this.remaining) && !this.inner.inner().body.is_end_stream() => {}
            Some(Ok(_)) | None => this.guard.settle(*this.status),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.inner().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.inner().body.size_hint()
    }
}

/// Whether a server sends no body whatever the response holds (RFC 9110, section 6.4.1). What follows 101, or a successful
/// `CONNECT`, is not HTTP.
fn is_bodiless(method: &str, status: StatusCode) -> bool {
    method == method::HEAD
        || method == method::CONNECT && status.is_success()
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// How many bytes the server will send before it stops asking for more, when it knows: what hyper goes by, in its order.
fn length<B: Body>(response: &Response<B>) -> Option<u64> {
    let promised = || response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    response.body().size_hint().exact().or_else(promised)
}

/// Whether nothing can follow the frame: it carries the trailers, or the last of the promised bytes.
fn is_last<D: Buf>(frame: &Frame<D>, remaining: &mut Option<u64>) -> bool {
    let (Some(data), Some(bytes)) = (frame.data_ref(), remaining.as_mut()) else {
        return frame.is_trailers();
    };
    *bytes = bytes.saturating_sub(data.remaining() as u64);
    *bytes == 0
}

pin_project! {
    // Polling a body as the future of its next frame lets `Instrumented` do for it what it does for a future: it enters
    // the span for every poll and for the drop, in place.
    #[derive(Debug)]
    struct NextFrame<B> {
        #[pin]
        body: B,
    }
}

impl<B: Body> Future for NextFrame<B> {
    type Output = Option<Result<Frame<B::Data>, B::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll_frame(cx)
    }
}
