//! The guard of one call carried across polls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::Verdict;
use super::guard::{Call, Entry, State};

pin_project! {
    /// A future as one call, from its first poll to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll it was no call; dropped later, before its end, it counts as `cancelled`.
    // An enum, since an `Option` around the body would be one more of the steps that the compiler counts in nested futures.
    #[derive(Debug)]
    #[allow(missing_docs, reason = "the macro around it takes no doc comments on fields")]
    #[project = TrackedProjection]
    pub enum Tracked<F, E> {
        /// There is still a body.
        Open {
            #[pin]
            body: F,
            state: State,
            end: Option<E>,
        },
        /// The body has ended and is dropped.
        Closed,
    }

    impl<F, E> PinnedDrop for Tracked<F, E> {
        fn drop(mut this: Pin<&mut Self>) {
            if let TrackedProjection::Open { state, .. } = this.as_mut().project() {
                let state = std::mem::replace(state, State::Ended);
                // What the body's locals log as they are dropped belongs to the call.
                state.in_scope(|| this.set(Tracked::Closed));
            }
        }
    }
}

/// What becomes of a call when its future is ready.
pub trait End<T> {
    /// What the caller gets.
    type Output;

    /// Settles the call, or hands it on.
    fn end(self, call: Call, result: T) -> Self::Output;
}

/// Ends the call with what its result says.
#[derive(Debug)]
pub struct Judged<J>(pub J);

impl<T, J> End<T> for Judged<J>
where
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    type Output = T;

    #[inline]
    fn end(self, call: Call, result: T) -> T {
        call.settle(&(self.0)(&result));
        result
    }
}

impl<F, E> Tracked<F, E> {
    #[inline]
    pub(super) fn new(entry: Entry, body: F, end: E) -> Self {
        Self::Open { body, state: State::Prepared(entry), end: Some(end) }
    }
}

impl<F: Future, E> Tracked<F, E> {
    #[inline]
    fn state(self: Pin<&mut Self>) -> Option<&mut State> {
        match self.project() {
            TrackedProjection::Open { state, .. } => Some(state),
            TrackedProjection::Closed => None,
        }
    }

    /// Polls the body, and drops it as soon as it is ready; `None` when it was before.
    #[inline]
    fn poll_body(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<(F::Output, E)>> {
        let TrackedProjection::Open { body, end, .. } = self.as_mut().project() else {
            return Poll::Ready(None);
        };
        let result = ready!(body.poll(cx));
        let end = end.take();
        self.set(Self::Closed);
        Poll::Ready(end.map(|end| (result, end)))
    }
}

/// Makes the future of one call; it begins with the first poll.
#[inline]
pub fn track_future<F: Future, J>(entry: Entry, body: F, judge: J) -> Tracked<F, Judged<J>>
where
    J: for<'r> FnOnce(&'r F::Output) -> Verdict<'r>,
{
    Tracked::new(entry, body, Judged(judge))
}

/// Tracks the future that a function returns. Making it is no part of the call, but done in its span, which is what a
/// future goes on in that takes the current span along.
#[inline]
pub fn track_returned_future<T, F, J>(
    entry: Entry,
    make: impl FnOnce() -> F,
    judge: J,
) -> Tracked<F, Judged<J>>
where
    F: Future<Output = T>,
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    let body = entry.span().in_scope(make);
    track_future(entry, body, judge)
}

impl<F: Future, E: End<F::Output>> Future for Tracked<F, E> {
    type Output = E::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<E::Output> {
        // Taken out while the body runs: should it unwind, the call is dropped right here, as a panic.
        let Some(call) = self.as_mut().state().and_then(State::resume) else { polled_after_end() };
        match call.in_scope(|| self.as_mut().poll_body(cx)) {
            Poll::Pending => {
                if let Some(state) = self.state() {
                    state.suspend(call);
                }
                Poll::Pending
            }
            Poll::Ready(Some((result, end))) => Poll::Ready(end.end(call, result)),
            Poll::Ready(None) => polled_after_end(),
        }
    }
}

/// As with every future of an `async fn`.
#[cold]
fn polled_after_end() -> ! {
    panic!("a tracked future was polled after its end")
}
