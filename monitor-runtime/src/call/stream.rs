//! The guard of one call carried along a stream.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;

use super::Verdict;
use super::guard::Call;

/// Judges one item of a stream.
pub type ItemJudge<T> = for<'r> fn(&'r T) -> Verdict<'r>;

pin_project! {
    /// A stream as one call, from its first poll (or that of the future that gave it) to its end.
    ///
    /// An item that is an error makes the call one, whatever follows.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its first poll it was no call; dropped later, before its end, it counts as `cancelled`, or as `error`
    /// when an item was one. One that has said that it is terminated has come to its end.
    #[derive(Debug)]
    pub struct TrackedStream<S, T> {
        #[pin]
        stream: Option<S>,
        call: Call,
        judge: ItemJudge<T>,
        has_items: bool,
        // Set once the stream has said, to somebody who asked, that it is not to be polled any more.
        is_over: AtomicBool,
    }

    impl<S, T> PinnedDrop for TrackedStream<S, T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if *this.is_over.get_mut() && this.call.is_suspended() {
                let running = this.call.run();
                this.stream.set(None);
                running.finish();
            } else {
                this.call.begin_drop();
                this.stream.set(None);
            }
        }
    }
}

/// Tracks the stream that a function returns. Making it is no part of the call, but done in its span, which is what a
/// stream goes on in that takes the current span along.
#[inline]
pub fn track_stream<T, S: Stream<Item = T>>(
    call: Call,
    make: impl FnOnce() -> S,
    judge: ItemJudge<T>,
) -> TrackedStream<S, T> {
    TrackedStream::new(call, make, judge)
}

impl<S, T> TrackedStream<S, T> {
    #[inline]
    pub(super) fn new(call: Call, make: impl FnOnce() -> S, judge: ItemJudge<T>) -> Self {
        let stream = call.in_span(make);
        Self { stream: Some(stream), call, judge, has_items: false, is_over: AtomicBool::new(false) }
    }

    /// Goes on with a call that a future began.
    fn running(call: Call, stream: S, judge: ItemJudge<T>) -> Self {
        Self {
            stream: Some(stream),
            call: call.suspended(),
            judge,
            has_items: false,
            is_over: AtomicBool::new(false),
        }
    }
}

impl<T, S: Stream<Item = T>> Stream for TrackedStream<S, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut this = self.project();
        if this.call.has_ended() {
            return Poll::Ready(None);
        }
        let mut running = this.call.run();
        match this.stream.as_mut().as_pin_mut().map(|stream| stream.poll_next(cx)) {
            Some(Poll::Ready(Some(item))) => {
                if !std::mem::replace(this.has_items, true) {
                    running.first_item();
                }
                running.observe(&(this.judge)(&item));
                running.suspend();
                Poll::Ready(Some(item))
            }
            Some(Poll::Pending) => {
                running.suspend();
                Poll::Pending
            }
            Some(Poll::Ready(None)) | None => {
                this.stream.set(None);
                running.finish();
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<T, S: FusedStream<Item = T>> FusedStream for TrackedStream<S, T> {
    fn is_terminated(&self) -> bool {
        if self.call.has_ended() {
            return true;
        }
        // Whoever hears that it is terminated polls it no more, so that the call would not see its end.
        let is_over = self.stream.as_ref().is_none_or(FusedStream::is_terminated);
        self.is_over.store(is_over, Ordering::Relaxed);
        is_over
    }
}

/// Goes on with the call in a stream.
#[inline]
pub fn hand_on<S: Stream>(call: Call, stream: S, judge: ItemJudge<S::Item>) -> TrackedStream<S, S::Item> {
    TrackedStream::running(call, stream, judge)
}

/// Runs the body of a function that gives a stream as an `Ok`, in which the call goes on; an `Err` ends it.
///
/// # Errors
///
/// Those of the body.
#[inline]
pub fn track_opened<S, E, O>(
    mut call: Call,
    body: impl FnOnce() -> Result<S, E>,
    judge: impl for<'r> FnOnce(&'r Result<S, E>) -> Verdict<'r>,
    hand_on: impl FnOnce(Call, S) -> O,
) -> Result<O, E> {
    call.resume();
    let result = body();
    hand_on_ok(call, result, judge, hand_on)
}

/// Goes on with the call in the stream of an `Ok`; an `Err` ends it.
///
/// # Errors
///
/// Those of `result`.
#[inline]
pub fn hand_on_ok<S, E, O>(
    call: Call,
    result: Result<S, E>,
    judge: impl for<'r> FnOnce(&'r Result<S, E>) -> Verdict<'r>,
    hand_on: impl FnOnce(Call, S) -> O,
) -> Result<O, E> {
    let verdict = result.is_err().then(|| judge(&result));
    match verdict {
        Some(verdict) => call.end_as(&verdict),
        None => return result.map(|stream| hand_on(call, stream)),
    }
    result.map(|_| unreachable!("judged as an error, it is one"))
}
