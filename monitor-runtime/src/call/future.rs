//! The guard of one call carried across polls.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Verdict;
use super::guard::{Call, Entry};
use super::outcome::Outcome;

pin_project! {
    /// The body of an asynchronous function as one call, from its first poll to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll it was no call; dropped later, before its end, it counts as `cancelled`.
    #[derive(Debug)]
    pub struct Tracked<F, J> {
        #[pin]
        body: Option<F>,
        state: State,
        judge: Option<J>,
    }

    impl<F, J> PinnedDrop for Tracked<F, J> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What the body's locals log as they are dropped belongs to the call.
            if let State::Running(call) = this.state {
                call.span().in_scope(|| this.body.set(None));
            }
        }
    }
}

#[derive(Debug)]
enum State {
    Prepared(Entry),
    Running(Call),
    Ended,
}

/// Makes the future of one call; it begins with the first poll.
#[inline]
pub fn track_future<F: Future, J>(entry: Entry, body: F, judge: J) -> Tracked<F, J>
where
    J: for<'r> FnOnce(&'r F::Output) -> Verdict<'r>,
{
    Tracked { body: Some(body), state: State::Prepared(entry), judge: Some(judge) }
}

impl<F: Future, J> Future for Tracked<F, J>
where
    J: for<'r> FnOnce(&'r F::Output) -> Verdict<'r>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        // Taken out while the body runs: should it unwind, the call is dropped right here, as a panic.
        let mut call = match std::mem::replace(this.state, State::Ended) {
            State::Prepared(entry) => Call::begin(entry, Outcome::Panic),
            State::Running(mut call) => {
                call.if_dropped(Outcome::Panic);
                call
            }
            State::Ended => polled_after_end(),
        };
        let polled = call.span().in_scope(|| {
            let polled = this.body.as_mut().as_pin_mut().map(|body| body.poll(cx));
            if let Some(Poll::Ready(_)) = polled {
                this.body.set(None);
            }
            polled
        });
        match polled {
            Some(Poll::Pending) => {
                call.if_dropped(Outcome::Cancelled);
                *this.state = State::Running(call);
                Poll::Pending
            }
            Some(Poll::Ready(result)) => {
                if let Some(judge) = this.judge.take() {
                    call.settle(&judge(&result));
                }
                Poll::Ready(result)
            }
            None => polled_after_end(),
        }
    }
}

/// As with every future of an `async fn`.
#[cold]
fn polled_after_end() -> ! {
    panic!("a tracked future was polled after its end")
}
