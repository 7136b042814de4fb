//! A body with a watch that polls its frames.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// The result of polling a body for a frame.
pub(crate) type PollFrame<D, E> = Poll<Option<Result<Frame<D>, E>>>;

/// Polls the frames of a body on behalf of its reader.
pub(crate) trait Watch<B: Body> {
    /// The error of the watched body.
    type Error;

    /// Polls for the next frame. The reader gets the result.
    fn poll_frame(&mut self, body: Pin<&mut B>, cx: &mut Context<'_>) -> PollFrame<B::Data, Self::Error>;
}

pin_project! {
    /// A body and its watch, which is dropped after the body.
    pub(crate) struct WatchedBody<B, W> {
        #[pin]
        body: B,
        watch: W,
    }
}

impl<B, W> WatchedBody<B, W> {
    pub(crate) fn new(body: B, watch: W) -> Self {
        Self { body, watch }
    }
}

impl<B: Body, W: Watch<B>> Body for WatchedBody<B, W> {
    type Data = B::Data;
    type Error = W::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> PollFrame<B::Data, W::Error> {
        let this = self.project();
        this.watch.poll_frame(this.body, cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
