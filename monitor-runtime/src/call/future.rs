//! The guard of one call carried across polls.

use std::borrow::BorrowMut;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Verdict;
use super::guard::{Call, Running};

pin_project! {
    /// A future as one call, from its first poll to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll it was no call; dropped later, before its end, it counts as `cancelled`.
    #[derive(Debug)]
    pub struct Tracked<C: BorrowMut<Call>, F, E> {
        #[pin]
        body: Option<F>,
        // The call itself where the future is a function's value; borrowed where the future is awaited in the function, which
        // spares moving it.
        call: C,
        end: Option<E>,
    }

    impl<C: BorrowMut<Call>, F, E> PinnedDrop for Tracked<C, F, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the body's locals log as they are dropped belongs to the call.
            this.call.borrow_mut().in_scope(|| this.body.set(None));
        }
    }
}

/// What becomes of a call when its future is ready.
pub trait End<T> {
    /// What the caller gets.
    type Output;

    /// Settles the call, or hands it on.
    fn end(self, running: Running<'_>, result: T) -> Self::Output;
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
    fn end(self, running: Running<'_>, result: T) -> T {
        running.settle(&(self.0)(&result));
        result
    }
}

impl<C: BorrowMut<Call>, F, E> Tracked<C, F, E> {
    #[inline]
    pub(super) fn new(call: C, body: F, end: E) -> Self {
        Self { body: Some(body), call, end: Some(end) }
    }
}

/// Makes the future of one call; it begins with the first poll.
#[inline]
pub fn track_future<F: Future, J>(call: &mut Call, body: F, judge: J) -> Tracked<&mut Call, F, Judged<J>>
where
    J: for<'r> FnOnce(&'r F::Output) -> Verdict<'r>,
{
    Tracked::new(call, body, Judged(judge))
}

/// Tracks the future that a function returns. Making it is no part of the call, but done in its span, which is what a
/// future goes on in that takes the current span along.
#[inline]
pub fn track_returned_future<T, F, J>(
    call: Call,
    make: impl FnOnce() -> F,
    judge: J,
) -> Tracked<Call, F, Judged<J>>
where
    F: Future<Output = T>,
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    let body = call.span().in_scope(make);
    Tracked::new(call, body, Judged(judge))
}

impl<C: BorrowMut<Call>, F: Future, E: End<F::Output>> Future for Tracked<C, F, E> {
    type Output = E::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<E::Output> {
        let mut this = self.project();
        let call = this.call.borrow_mut();
        if call.has_ended() {
            polled_after_end();
        }
        let running = call.run();
        match this.body.as_mut().as_pin_mut().map(|body| body.poll(cx)) {
            Some(Poll::Pending) => {
                running.suspend();
                Poll::Pending
            }
            Some(Poll::Ready(result)) => {
                this.body.set(None);
                match this.end.take() {
                    Some(end) => Poll::Ready(end.end(running, result)),
                    None => polled_after_end(),
                }
            }
            None => polled_after_end(),
        }
    }
}

#[cold]
fn polled_after_end() -> ! {
    panic!("a tracked future was polled after its end")
}
