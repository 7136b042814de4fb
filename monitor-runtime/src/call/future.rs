//! The guard of one call carried across polls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Verdict;
use super::guard::{Call, Entry, State};

pin_project! {
    /// A future as one call, from its first poll to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll it was no call; dropped later, before its end, it counts as `cancelled`.
    #[derive(Debug)]
    pub struct Tracked<F, E> {
        #[pin]
        body: Option<F>,
        state: State,
        end: Option<E>,
    }

    impl<F, E> PinnedDrop for Tracked<F, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the body's locals log as they are dropped belongs to the call.
            this.state.in_scope(|| this.body.set(None));
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

impl<F: Future, E> Tracked<F, E> {
    #[inline]
    pub(super) fn new(entry: Entry, body: F, end: E) -> Self {
        Self { body: Some(body), state: State::Prepared(entry), end: Some(end) }
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<E::Output> {
        let mut this = self.project();
        // Taken out while the body runs: should it unwind, the call is dropped right here, as a panic.
        let Some(call) = this.state.resume() else { polled_after_end() };
        let polled = call.in_scope(|| {
            let polled = this.body.as_mut().as_pin_mut().map(|body| body.poll(cx));
            if let Some(Poll::Ready(_)) = polled {
                this.body.set(None);
            }
            polled
        });
        match polled {
            Some(Poll::Pending) => {
                this.state.suspend(call);
                Poll::Pending
            }
            Some(Poll::Ready(result)) => match this.end.take() {
                Some(end) => Poll::Ready(end.end(call, result)),
                None => polled_after_end(),
            },
            None => polled_after_end(),
        }
    }
}

/// As with every future of an `async fn`.
#[cold]
fn polled_after_end() -> ! {
    panic!("a tracked future was polled after its end")
}
