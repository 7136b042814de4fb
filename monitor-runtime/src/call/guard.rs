//! The guard of one call: `begin` counts its start, `settle` its end, once.

use tracing::Span;

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
pub(super) struct Call {
    entry: Entry,
    started: u64,
    if_dropped: Outcome,
    is_settled: bool,
}

impl Call {
    /// Counts the call as started and takes the time.
    #[inline]
    pub(super) fn begin(entry: Entry, if_dropped: Outcome) -> Self {
        entry.series.start();
        Self { entry, started: clock::now(), if_dropped, is_settled: false }
    }

    /// The span to be entered while the body runs.
    #[inline]
    pub(super) fn span(&self) -> &Span {
        &self.entry.span
    }

    /// Says how the call ends if it is dropped from now on.
    #[inline]
    pub(super) fn if_dropped(&mut self, outcome: Outcome) {
        self.if_dropped = outcome;
    }

    /// Counts the call as ended with what its result says, and logs the error it returned.
    #[inline]
    pub(super) fn settle(mut self, verdict: &Verdict<'_>) {
        self.end(verdict.outcome);
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

/// Runs the body of a synchronous function as one call.
#[inline]
pub fn track<R>(
    entry: Entry,
    body: impl FnOnce() -> R,
    judge: impl for<'r> FnOnce(&'r R) -> Verdict<'r>,
) -> R {
    let call = Call::begin(entry, Outcome::Panic);
    let result = call.span().in_scope(body);
    call.settle(&judge(&result));
    result
}
