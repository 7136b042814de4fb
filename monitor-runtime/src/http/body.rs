//! The response body: from the head of the response to its last frame.

use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::Span;

use super::guard::RequestGuard;
use super::in_span::InSpan;
use super::upgraded::UpgradedConnection;
use crate::families::method::MethodLabel;

/// The size of the tail that is cut off a large frame and handed over in pieces.
///
/// ```text
/// the inner body's frame   ├────────── len − 32 KiB ──────────┼─ 2 KiB ─┼─ 2 KiB ─┼ … ┼─ 2 KiB ─┤
/// polled by the server     1st                                2nd       3rd             17th, the last
/// ```
///
/// A request ends when the server asks for the last piece. A server asks for a frame while it has room, and writes what
/// it has before it asks for more: hyper's HTTP/1 buffers 16 frames or about 400 KiB, its HTTP/2 as much as the
/// client's window allows. So nearly all of the body is written when the last piece is asked for. A frame that holds
/// the whole body is asked for before anything is written. All pieces are ready at once, so a reader that collects the
/// body does not wait.
const TAIL_LEN: usize = PIECES * PIECE_LEN;

/// The number of frames that hyper buffers. The frame that the pieces are cut from is one more.
const PIECES: usize = 16;
const PIECE_LEN: usize = 2 * 1_024;

pin_project! {
    /// The response body of [`HttpService`](super::HttpService): the inner body, frame by frame.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before its end, the request is counted as 499. The inner body is dropped inside the request's
    /// span.
    #[derive(Debug)]
    pub struct ResponseBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: InSpan<B>,
        guard: RequestGuard,
        // The bytes of the inner body that are still to come, if its length is known.
        remaining: Option<u64>,
        // The rest of the frame that was handed over last.
        tail: Option<Box<Bytes>>,
    }

    impl<B> PinnedDrop for ResponseBody<B>
    where
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // A body may reach its end between two polls. A server that sees this by `is_end_stream` does not poll it
            // again.
            let (guard, inner, tail) = (this.guard, &this.inner, this.tail);
            if guard.is_intact() && tail.is_none() && guard.run(|| has_ended(inner)) {
                guard.settle();
            }
        }
    }
}

impl<B: Body> ResponseBody<B> {
    /// Wraps the response's body. Settles the request at once if no body will be sent.
    #[inline]
    pub(super) fn wrap(
        mut response: Response<B>,
        mut guard: RequestGuard,
        span: Option<Span>,
    ) -> Response<Self> {
        let (status, body) = (response.status(), response.body());
        let (has_ended, length) = guard.run(|| (body.is_end_stream(), body.size_hint().exact()));
        let remaining = length.or_else(|| content_length(response.headers()));
        guard.set_response_status(status);
        #[cfg(feature = "tonic")]
        guard.note_grpc_status(response.headers());
        let ends_here =
            |method: &MethodLabel| has_ended || remaining == Some(0) || is_bodiless(*method, status);
        if let Some(method) = guard.method().filter(ends_here) {
            if is_upgrade(method, status) {
                UpgradedConnection::begin(&guard, response.extensions_mut());
            }
            guard.settle();
        }
        response.map(|body| Self { inner: InSpan::new(body, span), guard, remaining, tail: None })
    }
}

/// A body that belongs to no request.
impl<B: Body + Default> Default for ResponseBody<B> {
    fn default() -> Self {
        let inner = InSpan::new(B::default(), None);
        Self { inner, guard: RequestGuard::uncounted(), remaining: None, tail: None }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Data: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let mut polled = Poll::Ready(None);
        if this.tail.is_some() {
            polled = Poll::Ready(next_piece(this.tail).map(Ok));
        } else {
            this.guard.enter();
            this.inner.as_mut().poll(|mut body| {
                polled = body.as_mut().poll_frame(cx);
                is_over(&polled, &*body)
            });
            this.guard.leave();
        }
        match &mut polled {
            Poll::Pending => {}
            Poll::Ready(None) => this.guard.settle(),
            Poll::Ready(Some(Err(_))) => this.guard.fail(),
            Poll::Ready(Some(Ok(frame))) => {
                #[cfg(feature = "tonic")]
                if let Some(trailers) = frame.trailers_ref() {
                    this.guard.note_grpc_status(trailers);
                }
                if this.guard.is_open() && this.tail.is_none() {
                    *this.tail = frame.data_mut().and_then(cut_tail);
                }
                this.guard.count_sent(|| frame.data_ref().map_or(0, Buf::remaining));
                let is_more = this.tail.is_some() || this.inner.inner().is_some();
                if is_last(frame, this.remaining) || !is_more {
                    this.guard.settle();
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.tail.is_none() && has_ended(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.inner().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        match &self.tail {
            None => inner,
            Some(tail) => longer_by(&inner, tail.len() as u64),
        }
    }
}

fn longer_by(hint: &SizeHint, by: u64) -> SizeHint {
    let mut longer = SizeHint::new();
    longer.set_lower(hint.lower().saturating_add(by));
    if let Some(upper) = hint.upper() {
        longer.set_upper(upper.saturating_add(by));
    }
    longer
}

/// Cuts the tail off a large frame. Data that is not `Bytes` is left whole, since cutting it would copy it.
#[inline]
fn cut_tail<D: Buf + 'static>(data: &mut D) -> Option<Box<Bytes>> {
    let data = (data as &mut dyn Any).downcast_mut::<Bytes>()?;
    (data.len() > TAIL_LEN).then(|| Box::new(data.split_off(data.len() - TAIL_LEN)))
}

#[cold]
fn next_piece<D: 'static>(tail: &mut Option<Box<Bytes>>) -> Option<Frame<D>> {
    let rest = tail.as_mut()?;
    let mut piece = Some(rest.split_to(PIECE_LEN.min(rest.len())));
    if rest.is_empty() {
        *tail = None;
    }
    (&mut piece as &mut dyn Any).downcast_mut::<Option<D>>()?.take().map(Frame::data)
}

fn has_ended<B: Body>(body: &InSpan<B>) -> bool {
    body.inner().is_none_or(Body::is_end_stream)
}

/// Whether the body yields nothing after this poll.
fn is_over<F>(polled: &Poll<Option<F>>, body: &impl Body) -> bool {
    match polled {
        Poll::Ready(Some(_)) => body.is_end_stream(),
        Poll::Ready(None) => true,
        Poll::Pending => false,
    }
}

/// Whether a server sends no body for this response, even if it has one (RFC 9110, section 6.4.1). After 101 or a
/// successful `CONNECT`, the connection is no longer HTTP.
#[inline]
fn is_bodiless(method: MethodLabel, status: StatusCode) -> bool {
    method == MethodLabel::Head
        || is_upgrade(method, status)
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether the connection speaks another protocol after this response.
#[inline]
fn is_upgrade(method: MethodLabel, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS || method == MethodLabel::Connect && status.is_success()
}

/// The length in the response's head, which hyper relies on if the body does not know its own.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether this is the last frame: it carries the trailers, or the last of the known number of bytes.
fn is_last<D: Buf>(frame: &Frame<D>, remaining: &mut Option<u64>) -> bool {
    let (Some(data), Some(bytes)) = (frame.data_ref(), remaining.as_mut()) else {
        return frame.is_trailers();
    };
    *bytes = bytes.saturating_sub(data.remaining() as u64);
    *bytes == 0
}
