//! The guard of one call: `begin` counts its start, `settle` its end, once.

use tracing::Span;
use tracing::span::EnteredSpan;

use super::Verdict;
use super::fault::{self, Fault};
use super::lineage::{self, CallId, Inside};
use super::outcome::Outcome;
use super::site::{ErrorLog, Site};
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

    pub(super) fn site(&self) -> &'static Site {
        self.site
    }

    /// The label value the call is counted under.
    pub(super) fn id(&self) -> &'static str {
        self.series.id()
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }
}

/// A call that has begun. Dropped unsettled, it ends as `if_dropped` says.
#[derive(Debug)]
pub struct Call {
    entry: Entry,
    started: u64,
    /// The call in whose body this one began.
    parent: CallId,
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
        let (started, parent) = (clock::now(), CallId::current());
        Self { entry, started, parent, if_dropped: Outcome::Panic, is_settled: false, is_failed: false }
    }

    /// Runs a part of the body: inside the span, and as the call that calls inside it belong to.
    #[inline]
    pub(super) fn in_scope<T>(&self, part: impl FnOnce() -> T) -> T {
        let _inside = self.id().enter();
        self.entry.span.in_scope(part)
    }

    #[inline]
    fn id(&self) -> CallId {
        CallId::began_at(self.started)
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
            self.log_fault(fault);
        }
    }

    #[cold]
    fn log_fault(&self, fault: &Fault<'_>) {
        let is_wanted = match self.entry.site.error_log() {
            ErrorLog::Error => fault::is_heard(tracing::Level::ERROR),
            ErrorLog::Warn => fault::is_heard(tracing::Level::WARN),
            ErrorLog::Off => false,
        };
        if is_wanted && !lineage::was_logged(self.id(), self.parent, fault) {
            self.in_scope(|| fault::log(&self.entry, fault));
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
pub enum State {
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
            call.in_scope(work);
        }
    }
}

/// A call whose body is not handed over: it stands between [`begin`] and [`Begun::end`], in the function itself.
#[derive(Debug)]
pub struct Begun {
    // Left before the call is dropped, as they were entered after the call began.
    _entered: EnteredSpan,
    _inside: Inside,
    call: Call,
}

/// Begins a call in place. Unless it is ended, it ends as a panic when it is dropped.
#[inline]
pub fn begin(entry: Entry) -> Begun {
    let call = Call::begin(entry);
    Begun { _entered: call.entry.span.clone().entered(), _inside: call.id().enter(), call }
}

impl Begun {
    /// Ends the call with what its result says.
    #[inline]
    pub fn end<R>(self, result: R, judge: impl for<'r> FnOnce(&'r R) -> Verdict<'r>) -> R {
        self.call.settle(&judge(&result));
        result
    }
}

/// A call that cannot end in an error: it ends with the guard.
#[derive(Debug)]
pub struct Guard {
    begun: Option<Begun>,
    was_panicking: bool,
}

/// Begins a call that ends when the guard is dropped: as a panic if the thread unwinds by then, else as a success.
#[inline]
pub fn guard(entry: Entry) -> Guard {
    Guard { begun: Some(begin(entry)), was_panicking: std::thread::panicking() }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // A call made by a destructor, while the thread unwinds already, is judged by itself.
        let has_panicked = std::thread::panicking() && !self.was_panicking;
        if let Some(begun) = self.begun.take().filter(|_| !has_panicked) {
            begun.call.finish();
        }
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
    let result = call.in_scope(body);
    call.settle(&judge(&result));
    result
}
