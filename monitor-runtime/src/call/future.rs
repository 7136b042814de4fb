//! Carries the guard of a call across polls.

use std::future::Future;
use std::panic::UnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::future::FusedFuture;
use pin_project_lite::pin_project;

use super::Verdict;
use super::guard::Call;

/// Polls the body of an `async fn` as a call.
///
/// It holds the body by reference: the compiler follows values into their types, so nested functions would reach its
/// recursion limit much sooner.
///
/// It is compiled for each annotated function, so everything that does not depend on the body is elsewhere.
#[derive(Debug)]
pub struct PollAsCall<'a, F> {
    // Dropped before the body, so that log lines from the destructors of the body's locals belong to the call.
    call: InCall<'a>,
    body: Pin<&'a mut F>,
}

/// Runs the body of an `async fn` as `call`. The call begins with the first poll. The caller ends it, by
/// [`settle`](super::settle).
///
/// # Cancel safety
///
/// If it is dropped before its end, the call counts as `cancelled` when it is dropped itself, which must be after the
/// body.
#[inline]
pub fn track_pinned<'a, F: Future>(call: &'a mut Call, body: Pin<&'a mut F>) -> PollAsCall<'a, F> {
    PollAsCall { call: InCall(call), body }
}

impl<F: Future> Future for PollAsCall<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { call, body } = self.get_mut();
        call.0.resume();
        let polled = body.as_mut().poll(cx);
        if polled.is_pending() {
            call.0.suspend();
        }
        polled
    }
}

// As unwind safe as the body by value: only this future can access the body and the call through the references.
impl<F: UnwindSafe> UnwindSafe for PollAsCall<'_, F> {}

/// The call, while its body may be dropped.
#[derive(Debug)]
struct InCall<'a>(&'a mut Call);

impl Drop for InCall<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.begin_drop();
    }
}

pin_project! {
    /// A future that is one call, from its first poll to its end.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before its first poll, there was no call. If it is dropped later, before its end, the call
    /// counts as `cancelled`.
    #[derive(Debug)]
    pub struct Tracked<F, J> {
        #[pin]
        body: Option<F>,
        call: Call,
        judge: Option<J>,
    }

    impl<F, J> PinnedDrop for Tracked<F, J> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Log lines from the destructors of the body's locals belong to the call.
            this.call.begin_drop();
            this.body.set(None);
        }
    }
}

impl<F, J> Tracked<F, J> {
    /// Makes the body inside the call's span, since some futures capture the current span when they are made.
    #[inline]
    pub(super) fn new(call: Call, make: impl FnOnce() -> F, judge: J) -> Self {
        let body = call.in_span(make);
        Self { body: Some(body), call, judge: Some(judge) }
    }
}

/// Tracks the future that a function returns. Making it is not part of the call, but happens in its span.
#[inline]
pub fn track_returned_future<T, F, J>(call: Call, make: impl FnOnce() -> F, judge: J) -> Tracked<F, J>
where
    F: Future<Output = T>,
    J: for<'r> FnOnce(&'r T) -> Verdict<'r>,
{
    Tracked::new(call, make, judge)
}

impl<F: Future, J> Future for Tracked<F, J>
where
    J: for<'r> FnOnce(&'r F::Output) -> Verdict<'r>,
{
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if this.call.has_ended() {
            polled_after_end();
        }
        let Some(body) = this.body.as_mut().as_pin_mut() else { polled_after_end() };
        let running = this.call.run();
        match body.poll(cx) {
            Poll::Pending => {
                running.suspend();
                Poll::Pending
            }
            Poll::Ready(result) => {
                this.body.set(None);
                let Some(judge) = this.judge.take() else { polled_after_end() };
                running.settle(&judge(&result));
                Poll::Ready(result)
            }
        }
    }
}

impl<F: FusedFuture, J> FusedFuture for Tracked<F, J>
where
    J: for<'r> FnOnce(&'r F::Output) -> Verdict<'r>,
{
    fn is_terminated(&self) -> bool {
        self.call.has_ended() || self.body.as_ref().is_none_or(FusedFuture::is_terminated)
    }
}

#[cold]
fn polled_after_end() -> ! {
    panic!("a tracked future was polled after its end")
}
