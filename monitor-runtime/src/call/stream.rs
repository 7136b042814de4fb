//! Carries the guard of a call through a stream.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;

use super::Verdict;
use super::guard::Call;
use super::reply::Reports;
use crate::families::Outcome;

/// Returns the verdict on one item of a stream.
pub type ItemJudge<T> = for<'r> fn(&'r T) -> Verdict<'r>;

pin_project! {
    /// A stream that is one call, from its first poll (or that of the future that returned it) to its end.
    ///
    /// If any item is an error, so is the call.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before its first poll, there was no call. If it is dropped later, before its end, the call
    /// counts as `cancelled`, or as `error` if an item was one. A stream that has reported that it is terminated has
    /// ended.
    #[derive(Debug)]
    pub struct TrackedStream<S, T> {
        #[pin]
        stream: Option<S>,
        call: Call,
        judge: ItemJudge<T>,
        has_items: bool,
        reports: Reports,
        // Set once the stream has reported to a caller that it is terminated.
        is_over: AtomicBool,
    }

    impl<S, T> PinnedDrop for TrackedStream<S, T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if *this.is_over.get_mut() && this.call.is_suspended() {
                let running = this.call.run();
                let leaving = this.reports.leave_on_panic();
                this.stream.set(None);
                drop(leaving);
                this.reports.leave();
                running.finish();
            } else {
                this.call.begin_drop();
                let leaving = this.reports.leave_on_panic();
                this.stream.set(None);
                drop(leaving);
                if !this.call.has_ended() {
                    // The call is dropped next, and ends.
                    this.reports.leave();
                }
            }
        }
    }
}

/// Tracks the stream that a function returns. Making it is not part of the call, but happens in its span, since some
/// streams capture the current span when they are made.
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
        Self::around(call, stream, judge)
    }

    /// Continues a call that a future began.
    fn running(call: Call, stream: S, judge: ItemJudge<T>) -> Self {
        Self::around(call.suspended(), stream, judge)
    }

    #[inline]
    fn around(call: Call, stream: S, judge: ItemJudge<T>) -> Self {
        let (reports, is_over) = (Reports::default(), AtomicBool::new(false));
        Self { stream: Some(stream), call, judge, has_items: false, reports, is_over }
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
        let leaving = this.reports.leave_on_panic();
        let polled = this.stream.as_mut().as_pin_mut().map(|stream| stream.poll_next(cx));
        drop(leaving);
        match polled {
            Some(Poll::Ready(Some(item))) => {
                let is_of_model = running.is_of_model();
                if !is_of_model && !std::mem::replace(this.has_items, true) {
                    running.first_item();
                }
                let leaving = this.reports.leave_on_panic();
                let verdict = (this.judge)(&item);
                drop(leaving);
                if is_of_model {
                    this.reports.keep();
                    // An error is no chunk of a reply.
                    if verdict.outcome == Outcome::Success && !std::mem::replace(this.has_items, true) {
                        running.first_item();
                    }
                }
                let leaving = this.reports.leave_on_panic();
                running.observe(&verdict);
                drop(leaving);
                running.suspend();
                Poll::Ready(Some(item))
            }
            Some(Poll::Pending) => {
                running.suspend();
                Poll::Pending
            }
            Some(Poll::Ready(None)) | None => {
                let leaving = this.reports.leave_on_panic();
                this.stream.set(None);
                drop(leaving);
                this.reports.leave();
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
        // A caller that sees a terminated stream does not poll it again, so the end is noted here.
        let is_over = self.stream.as_ref().is_none_or(FusedStream::is_terminated);
        self.is_over.store(is_over, Ordering::Relaxed);
        is_over
    }
}

/// Continues the call in a stream.
#[inline]
pub fn hand_on<S: Stream>(call: Call, stream: S, judge: ItemJudge<S::Item>) -> TrackedStream<S, S::Item> {
    TrackedStream::running(call, stream, judge)
}

/// Runs the body of a function that returns a stream in an `Ok`. The call continues in the stream; an `Err` ends it.
///
/// # Errors
///
/// Returns the body's error.
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

/// Continues the call in the stream of an `Ok`. An `Err` ends it.
///
/// # Errors
///
/// Returns the error of `result`.
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
    result.map(|_| unreachable!("only an `Err` has a verdict"))
}
