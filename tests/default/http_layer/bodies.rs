//! Bodies that end in every way a body can.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};

/// The error of a body that fails.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// A step of a scripted body when it is polled.
pub(crate) enum Step {
    Data(&'static str),
    Trailers,
    Fail,
    Panic,
    Never,
}

/// A body that plays a script, promises no length, and by default says nothing of its end.
pub(crate) struct Script {
    steps: VecDeque<Step>,
    knows_its_end: bool,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: steps.into_iter().collect(), knows_its_end: false }
    }

    /// Says by `is_end_stream` when the script is over.
    pub(crate) fn knowing_its_end(self) -> Self {
        Self { knows_its_end: true, ..self }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(text)) => Some(Ok(Frame::data(text.into()))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Fail) => Some(Err("the body failed on purpose".into())),
            Some(Step::Panic) => panic!("the body panicked on purpose"),
            Some(Step::Never) => return Poll::Pending,
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.knows_its_end && self.steps.is_empty()
    }
}

/// A body that never yields anything and whose end is decided from outside.
#[derive(Clone, Default)]
pub(crate) struct EndsElsewhere(Arc<AtomicBool>);

impl EndsElsewhere {
    pub(crate) fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Body for EndsElsewhere {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_end_stream() { Poll::Ready(None) } else { Poll::Pending }
    }

    fn is_end_stream(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that cannot say whether it has ended.
pub(crate) struct PanicsWhenAsked;

impl Body for PanicsWhenAsked {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        panic!("the body panicked on purpose")
    }
}

#[test]
fn layers_that_answer_by_themselves_fit_around_ours() {
    // As CORS and time-out layers do in a `ServiceBuilder`: what they answer has a body made by `Default`.
    fn answered_outside<B: Default + http_body::Body>() -> bool {
        B::default().is_end_stream()
    }

    assert!(answered_outside::<monitor_runtime::http::ResponseBody<axum::body::Body>>());
}
