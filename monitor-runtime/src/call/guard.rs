//! The guard of one call: `begin` counts its start, `settle` its end, once.

use tracing::Span;
use tracing::span::EnteredSpan;

use super::outcome::Outcome;
use super::site::Site;
use super::{Verdict, fault};
use crate::clock;
use crate::registry::CallSeries;

/// A call that has been prepared and not begun: its series is found and its span open.
#[derive(Debug)]
pub struct Entry {
    site: &'static Site,
    series: &'static CallSeries,
    span: Span,
}

impl Entry {
    #[inline]
    pub(super) fn new(site: &'static Site, series: &'static CallSeries, span: Span) -> Self {
        Self { site, series, span }
    }
}

/// A call that has begun. Dropped unsettled, it ends as `if_dropped` says.
#[derive(Debug)]
pub struct Call {
    entry: Entry,
    started: u64,
    if_dropped: Outcome,
    is_settled: bool,
    /// What it is to end as although its body goes on: an item of its stream was an error.
    is_failed: bool,
}

impl Call {
    /// Counts the call as started and takes the time. Until it is suspended, it ends as a panic if it is dropped.
    #[inline]
    pub(super) fn begin(entry: Entry) -> Self {
        entry.series.start();
        Self { entry, started: clock::now(), if_dropped: Outcome::Panic, is_settled: false, is_failed: false }
    }

    /// The span to be entered while the body runs.
    #[inline]
    pub(super) fn span(&self) -> &Span {
        &self.entry.span
    }

    /// Counts the call as ended with what its result says, and logs the error it returned.
    #[inline]
    pub(super) fn settle(mut self, verdict: &Verdict<'_>) {
        self.end(verdict.outcome);
        self.log(verdict);
    }

    /// Takes note of an item of the call's stream.
    pub(super) fn observe(&mut self, verdict: &Verdict<'_>) {
        if verdict.outcome == Outcome::Error {
            self.is_failed = true;
            self.log(verdict);
        }
    }

    /// Records how long the first item took.
    pub(super) fn first_item(&self) {
        self.entry.series.first_item(clock::nanos_since(self.started));
    }

    /// Counts the call of a stream that came to its end.
    pub(super) fn finish(mut self) {
        self.end(if self.is_failed { Outcome::Error } else { Outcome::Success });
    }

    #[inline]
    fn log(&self, verdict: &Verdict<'_>) {
        if let (Outcome::Error, Some(fault)) = (verdict.outcome, &verdict.fault) {
            fault::log(self.entry.site, &self.entry.span, fault);
        }
    }

    #[inline]
    fn end(&mut self, outcome: Outcome) {
        self.is_settled = true;
        self.entry.series.end(outcome, clock::nanos_since(self.started));
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if !self.is_settled {
            self.end(self.if_dropped);
        }
    }
}

/// Where a future or a stream stands between two polls.
#[derive(Debug)]
pub(super) enum State {
    /// Not polled yet: no call so far.
    Prepared(Entry),
    /// Suspended.
    Running(Call),
    Ended,
}

impl State {
    /// Takes the call out for a poll, beginning it at the first one; `None` after its end.
    #[inline]
    pub(super) fn resume(&mut self) -> Option<Call> {
        match std::mem::replace(self, Self::Ended) {
            Self::Prepared(entry) => Some(Call::begin(entry)),
            Self::Running(mut call) => {
                call.if_dropped = Outcome::Panic;
                Some(call)
            }
            Self::Ended => None,
        }
    }

    /// Puts the call back; dropped now, it ends as cancelled, or as the error that one of its items was.
    #[inline]
    pub(super) fn suspend(&mut self, mut call: Call) {
        call.if_dropped = if call.is_failed { Outcome::Error } else { Outcome::Cancelled };
        *self = Self::Running(call);
    }

    /// Does what belongs to a suspended call inside its span, and nothing unless there is one.
    #[inline]
    pub(super) fn in_scope(&self, work: impl FnOnce()) {
        if let Self::Running(call) = self {
            call.span().in_scope(work);
        }
    }
}

/// A call whose body is not handed over: it stands between [`begin`] and [`Begun::end`], in the function itself.
#[derive(Debug)]
pub struct Begun {
    // Left before the call is dropped, as it was entered after the call began.
    _entered: EnteredSpan,
    call: Call,
}

/// Begins a call in place. Unless it is ended, it ends as a panic when it is dropped.
#[inline]
pub fn begin(entry: Entry) -> Begun {
    let call = Call::begin(entry);
    Begun { _entered: call.span().clone().entered(), call }
}

impl Begun {
    /// Ends the call with what its result says.
    #[inline]
    pub fn end<R>(self, result: R, judge: impl for<'r> FnOnce(&'r R) -> Verdict<'r>) -> R {
        self.call.settle(&judge(&result));
        result
    }
}

/// Runs the body of a synchronous function as one call.
#[inline]
pub fn track<R>(
    entry: Entry,
    body: impl FnOnce() -> R,
    judge: impl for<'r> FnOnce(&'r R) -> Verdict<'r>,
) -> R {
    let call = Call::begin(entry);
    let result = call.span().in_scope(body);
    call.settle(&judge(&result));
    result
}
