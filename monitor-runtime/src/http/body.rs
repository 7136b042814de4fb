//! From the response's head to the end of its body.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::Span;

use super::guard::Guard;
use super::inside::Inside;
use super::method::Name;

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
        inner: Inside<B>,
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
            let (guard, inner) = (this.guard, &this.inner);
            if guard.is_waiting() && guard.run(|| has_ended(inner)) {
                guard.settle(*this.status);
            }
        }
    }
}

impl<B: Body> ResponseBody<B> {
    /// Puts itself around the response's body, or settles the request at once if no body will be sent.
    pub(super) fn wrap(response: Response<B>, mut guard: Guard, span: Option<Span>) -> Response<Self> {
        let (status, body) = (response.status(), response.body());
        let (has_ended, length) = guard.run(|| (body.is_end_stream(), body.size_hint().exact()));
        let remaining = length.or_else(|| promised(response.headers()));
        if let Some(method) = guard.method()
            && (has_ended || remaining == Some(0) || is_bodiless(method, status))
        {
            guard.settle(status.as_u16());
        }
        response.map(|body| Self {
            inner: Inside::new(body, span),
            guard,
            status: status.as_u16(),
            remaining,
        })
    }
}

/// A body that belongs to no request.
impl<B: Body + Default> Default for ResponseBody<B> {
    fn default() -> Self {
        let inner = Inside::new(B::default(), None);
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
        let inner = this.inner.as_mut();
        let polled = this.guard.run(|| inner.poll(|body| body.poll_frame(cx), is_over));
        let polled = ready!(polled.unwrap_or(Poll::Ready(None)));
        match &polled {
            Some(Err(_)) => this.guard.fail(),
            Some(Ok(frame)) if !is_last(frame, this.remaining) && this.inner.inner().is_some() => {}
            Some(Ok(_)) | None => this.guard.settle(*this.status),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        has_ended(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.inner().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

fn has_ended<B: Body>(body: &Inside<B>) -> bool {
    body.inner().is_none_or(Body::is_end_stream)
}

/// Whether nothing can come of the body any more.
fn is_over<F>(polled: &Poll<Option<F>>, body: &impl Body) -> bool {
    match polled {
        Poll::Ready(Some(_)) => body.is_end_stream(),
        Poll::Ready(None) => true,
        Poll::Pending => false,
    }
}

/// Whether a server sends no body whatever the response holds (RFC 9110, section 6.4.1). What follows 101, or a successful
/// `CONNECT`, is not HTTP.
fn is_bodiless(method: Name, status: StatusCode) -> bool {
    method == Name::Head
        || method == Name::Connect && status.is_success()
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// How many bytes the head promises: what hyper goes by where the body does not know.
fn promised(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether nothing can follow the frame: it carries the trailers, or the last of the promised bytes.
fn is_last<D: Buf>(frame: &Frame<D>, remaining: &mut Option<u64>) -> bool {
    let (Some(data), Some(bytes)) = (frame.data_ref(), remaining.as_mut()) else {
        return frame.is_trailers();
    };
    *bytes = bytes.saturating_sub(data.remaining() as u64);
    *bytes == 0
}
