//! From the response's head to the end of its body.

use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::Span;

use super::guard::Guard;
use super::inside::Inside;
use crate::families::method::MethodLabel;

/// How much of a large frame is kept back, to be handed over in pieces.
///
/// A server polls for a frame while it has room for one, and then writes out what it has: hyper's HTTP/1 after 16 frames or about
/// 400 KiB, its HTTP/2 as the client's window allows. So the last piece is polled for once nearly all before it is written, which
/// no frame is that holds the whole body. Pieces of a body do not wait for each other, so that one who collects it gets it all.
const KEPT_BACK: usize = PIECES * PIECE;

/// As many as hyper buffers; the frame that they are cut from is one more.
const PIECES: usize = 16;
const PIECE: usize = 2 * 1_024;

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
        // Bytes still to come, when that is known.
        remaining: Option<u64>,
        // The end of the frame that was handed over last.
        kept_back: Option<Box<Bytes>>,
    }

    impl<B> PinnedDrop for ResponseBody<B>
    where
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // A body may come to its end while nobody polls it, and a server that sees so does not poll it again.
            let (guard, inner, kept_back) = (this.guard, &this.inner, this.kept_back);
            if guard.is_waiting() && kept_back.is_none() && guard.run(|| has_ended(inner)) {
                guard.settle();
            }
        }
    }
}

impl<B: Body> ResponseBody<B> {
    /// Puts itself around the response's body, or settles the request at once if no body will be sent.
    #[inline]
    pub(super) fn wrap(response: Response<B>, mut guard: Guard, span: Option<Span>) -> Response<Self> {
        let (status, body) = (response.status(), response.body());
        let (has_ended, length) = guard.run(|| (body.is_end_stream(), body.size_hint().exact()));
        let remaining = length.or_else(|| promised(response.headers()));
        guard.answer(status);
        if let Some(method) = guard.method()
            && (has_ended || remaining == Some(0) || is_bodiless(method, status))
        {
            guard.settle();
        }
        response.map(|body| Self { inner: Inside::new(body, span), guard, remaining, kept_back: None })
    }
}

/// A body that belongs to no request.
impl<B: Body + Default> Default for ResponseBody<B> {
    fn default() -> Self {
        let inner = Inside::new(B::default(), None);
        Self { inner, guard: Guard::uncounted(), remaining: None, kept_back: None }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body,
    B::Data: 'static,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let mut polled = Poll::Ready(None);
        if this.kept_back.is_some() {
            polled = Poll::Ready(next_piece(this.kept_back).map(Ok));
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
                if this.guard.is_open()
                    && this.kept_back.is_none()
                    && let Some(data) = frame.data_mut()
                {
                    *this.kept_back = keep_back(data);
                }
                let is_more = this.kept_back.is_some() || this.inner.inner().is_some();
                if is_last(frame, this.remaining) || !is_more {
                    this.guard.settle();
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.kept_back.is_none() && has_ended(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.inner().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        match &self.kept_back {
            None => inner,
            Some(kept_back) => longer(&inner, kept_back.len() as u64),
        }
    }
}

fn longer(hint: &SizeHint, by: u64) -> SizeHint {
    let mut longer = SizeHint::new();
    longer.set_lower(hint.lower().saturating_add(by));
    if let Some(upper) = hint.upper() {
        longer.set_upper(upper.saturating_add(by));
    }
    longer
}

/// Takes the end off the data of a large frame. Of data that is not `Bytes` nothing is taken, as it cannot be cut without a copy.
#[inline]
fn keep_back<D: Buf + 'static>(data: &mut D) -> Option<Box<Bytes>> {
    let data = (data as &mut dyn Any).downcast_mut::<Bytes>()?;
    (data.len() > KEPT_BACK).then(|| Box::new(data.split_off(data.len() - KEPT_BACK)))
}

#[cold]
fn next_piece<D: 'static>(kept_back: &mut Option<Box<Bytes>>) -> Option<Frame<D>> {
    let rest = kept_back.as_mut()?;
    let mut piece = Some(rest.split_to(PIECE.min(rest.len())));
    if rest.is_empty() {
        *kept_back = None;
    }
    (&mut piece as &mut dyn Any).downcast_mut::<Option<D>>()?.take().map(Frame::data)
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
#[inline]
fn is_bodiless(method: MethodLabel, status: StatusCode) -> bool {
    method == MethodLabel::Head
        || method == MethodLabel::Connect && status.is_success()
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
