//! The guard of one call: `begin` counts its start, `end` its end, once.
//!
//! What runs on every call is written once, for calls of any kind, and works on a [`Call`] in its place: moving one costs
//! more than counting it.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::AtomicU8;

use tracing::span::Id;
use tracing::{Dispatch, Span};

use super::Verdict;
use super::error_dedup::{self, CallId};
use super::fault::{self, Fault};
use super::observer;
use super::settings::{ErrorLog, Settings};
use crate::families::CallKind;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;

/// A call, from its preparation on. Dropped before its end, it ends as what its stage says.
#[derive(Debug)]
pub struct Call {
    settings: &'static Settings,
    series: &'static CallSeries,
    /// None if nobody listens.
    span: Option<Span>,
    started: u64,
    /// The call in whose body this one began.
    parent: CallId,
    /// The call that the thread was in before, while this one is polled as the body of an `async fn`.
    around: CallId,
    stage: Stage,
    /// What it is to end as although its body goes on: an item of its stream was an error.
    is_failed: bool,
    _cells: NoCells,
}

// A call ends as a panic when one unwinds through it, and nothing of it is seen half changed: so its future is as safe to unwind
// through as its body's. The compiler does not see it, since a span holds any subscriber.
impl UnwindSafe for Call {}
impl RefUnwindSafe for Call {}

/// None, of a type that could have some, which lets asynchronous functions be nested deeper: where the compiler asks whether there
/// are cells in a future, it finds this type and looks no further into the futures inside.
type NoCells = [AtomicU8; 0];

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its series is found and its span open; it has not begun.
    Prepared,
    /// Its body runs.
    Running,
    /// Its body waits to be polled again.
    Suspended,
    /// Its body is dropped before its end, as a part of the call.
    Dropping,
    Ended,
}

impl Call {
    #[inline]
    pub(super) fn prepared(
        settings: &'static Settings,
        series: &'static CallSeries,
        span: Option<Span>,
    ) -> Self {
        let (started, parent, around) = (0, CallId::NONE, CallId::NONE);
        Self {
            settings,
            series,
            span,
            started,
            parent,
            around,
            stage: Stage::Prepared,
            is_failed: false,
            _cells: [],
        }
    }

    /// The id, unless the call's span binds it to the lines inside.
    fn unbound_id(&self) -> Option<&'static str> {
        let is_bound = self.span.as_ref().is_some_and(|span| !span.is_disabled());
        (!is_bound).then(|| self.series.id())
    }

    /// Runs code in the call's span that is no part of its body.
    #[inline]
    pub(super) fn in_span<T>(&self, code: impl FnOnce() -> T) -> T {
        match &self.span {
            Some(span) => span.in_scope(code),
            None => code(),
        }
    }

    /// Whether the call has come to its end.
    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Whether the call has begun, and its body waits.
    #[inline]
    pub(super) fn is_suspended(&self) -> bool {
        self.stage == Stage::Suspended
    }

    /// Runs a part of the body, beginning the call if it is the first: inside the span, and as the call that calls inside
    /// it belong to.
    #[inline]
    pub(super) fn run(&mut self) -> Running<'_> {
        let around = self.begin_or_enter();
        Running { call: self, around }
    }

    #[inline]
    fn begin_or_enter(&mut self) -> CallId {
        if self.stage == Stage::Prepared { self.begin() } else { self.enter() }
    }

    /// Begins a prepared call, and enters it.
    pub(super) fn begin(&mut self) -> CallId {
        self.started = self.series.start();
        self.parent = CallId::current();
        self.enter()
    }

    /// Enters a call that has begun, and gives the call that the thread was in before.
    #[inline]
    fn enter(&mut self) -> CallId {
        self.stage = Stage::Running;
        let around = CallId::began_at(self.started).make_current();
        if let Some(span) = &self.span {
            tell(span, Dispatch::enter);
        }
        around
    }

    #[inline]
    fn leave(&self, around: CallId) {
        if let Some(span) = &self.span {
            tell(span, Dispatch::exit);
        }
        around.make_current();
    }

    /// Leaves the body for good.
    pub(super) fn settle(&mut self, around: CallId, outcome: Outcome) {
        self.leave_and_end(around, outcome);
    }

    /// Leaves the body of a call that was [resumed](Self::resume), for good.
    #[inline]
    pub(super) fn leave_as(&mut self, outcome: Outcome) {
        self.leave_and_end(self.around, outcome);
    }

    /// Leaves the body and counts the end of the call.
    #[expect(
        clippy::inline_always,
        reason = "both ways to settle are hot, and the hint alone inlines it into one"
    )]
    #[inline(always)]
    fn leave_and_end(&mut self, around: CallId, outcome: Outcome) {
        self.leave(around);
        self.stage = Stage::Ended;
        let nanos = self.series.nanos_since(self.started);
        if self.series.is_fast(outcome) && !observer::is_observed() {
            self.series.record_fast(nanos);
        } else {
            self.end_observed(outcome, nanos);
        }
    }

    // Apart and last, so that the fast path saves no registers for it.
    #[inline(never)]
    fn end_observed(&self, outcome: Outcome, nanos: u64) {
        let span = self.span.as_ref();
        self.series.record(outcome, nanos, &|| observer::identify(span));
        observer::notify(|observer| observer.call_ended(span, outcome, nanos));
    }

    /// Ends a call whose body has handed it on, with what `verdict` says.
    pub(super) fn end_as(mut self, verdict: &Verdict<'_>) {
        self.settle(self.around, verdict.outcome);
        self.log(verdict);
    }

    /// Goes on, suspended, with a call that has been handed on.
    pub(super) fn suspended(mut self) -> Self {
        self.suspend();
        self
    }

    /// Logs the error that the call returned.
    #[inline]
    pub(super) fn log(&self, verdict: &Verdict<'_>) {
        if let (Outcome::Error, Some(fault)) = (verdict.outcome, &verdict.fault) {
            self.log_fault(fault);
        }
    }

    #[cold]
    fn log_fault(&self, fault: &Fault<'_>) {
        let span = self.span.as_ref();
        let is_wanted = fault::is_wanted(self.settings, span);
        let is_heard = match self.settings.log_errors {
            ErrorLog::Error => fault::is_heard(tracing::Level::ERROR),
            ErrorLog::Warn => fault::is_heard(tracing::Level::WARN),
            ErrorLog::Off => false,
        };
        if !is_wanted && !is_heard {
            return;
        }
        let id = CallId::began_at(self.started);
        // Once, and as a part of the call: a `Display` may log, or call tracked functions.
        let text = self.as_part(id, || fault.text());
        if is_wanted {
            observer::notify(|observer| observer.call_failed(span, &text));
        }
        if is_heard && !error_dedup::logged_inside(id, self.parent, span, &text) {
            self.as_part(id, || fault::log(self.settings, self.unbound_id(), &text));
        }
    }

    fn as_part<T>(&self, id: CallId, code: impl FnOnce() -> T) -> T {
        let _inside = id.enter();
        self.in_span(code)
    }

    #[cold]
    fn abandon(&mut self) {
        let outcome = match self.stage {
            Stage::Suspended | Stage::Dropping if self.is_failed => Outcome::Error,
            Stage::Suspended | Stage::Dropping => Outcome::Cancelled,
            _ => Outcome::Panic,
        };
        if self.stage != Stage::Suspended {
            self.leave(self.around);
        }
        // None of these outcomes is fast.
        self.stage = Stage::Ended;
        self.end_observed(outcome, self.series.nanos_since(self.started));
    }

    /// Goes into the call for a poll of its body. Unless the body waits, it is left as it ends, or is dropped.
    pub(super) fn resume(&mut self) {
        self.around = self.begin_or_enter();
    }

    /// The body waits: dropped now, the call ends as cancelled.
    pub(super) fn suspend(&mut self) {
        self.leave(self.around);
        self.stage = Stage::Suspended;
    }

    /// Goes into the call for the drop of its body, unless that has ended. The call leaves itself as it is dropped.
    #[inline]
    pub(super) fn begin_drop(&mut self) {
        if self.stage == Stage::Suspended {
            self.enter_drop();
        }
    }

    #[cold]
    fn enter_drop(&mut self) {
        self.around = self.enter();
        self.stage = Stage::Dropping;
    }
}

/// A part of a call's body that runs. Dropped by a body that unwinds, it ends the call as a panic; dropped otherwise, as a
/// success, since a macro's `return` went past the end of a body that is in its place.
#[derive(Debug)]
pub(super) struct Running<'c> {
    call: &'c mut Call,
    /// The call that the thread was in before.
    around: CallId,
}

impl Running<'_> {
    /// The body waits: dropped now, the call ends as cancelled, or as the error that one of its items was.
    #[inline]
    pub(super) fn suspend(self) {
        self.call.leave(self.around);
        self.call.stage = Stage::Suspended;
        std::mem::forget(self);
    }

    /// The body has ended, and the call with it, as `verdict` says.
    #[inline]
    pub(super) fn settle(self, verdict: &Verdict<'_>) {
        self.call.settle(self.around, verdict.outcome);
        self.call.log(verdict);
        std::mem::forget(self);
    }

    /// Takes note of an item of the call's stream.
    pub(super) fn observe(&mut self, verdict: &Verdict<'_>) {
        if verdict.outcome == Outcome::Error {
            self.call.is_failed = true;
            self.call.log(verdict);
        }
    }

    /// Records how long the first item of the call's stream took, unless it is a query's, of which no metric tells.
    pub(super) fn first_item(&self) {
        if self.call.settings.kind != CallKind::Query {
            let Call { series, started, span, .. } = &*self.call;
            let nanos = series.first_item(*started, || observer::identify(span.as_ref()));
            observer::notify(|observer| observer.first_item_yielded(span.as_ref(), nanos));
        }
    }

    /// The call's stream has ended, and the call with it.
    pub(super) fn finish(self) {
        let outcome = if self.call.is_failed { Outcome::Error } else { Outcome::Success };
        self.call.settle(self.around, outcome);
        std::mem::forget(self);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Ended already if it was the log line of its error that panicked.
        if !self.call.has_ended() {
            let outcome = if std::thread::panicking() { Outcome::Panic } else { Outcome::Success };
            self.call.settle(self.around, outcome);
        }
    }
}

/// Says something to the subscriber of a span; apart, since to most calls nobody listens.
#[inline(never)]
fn tell(span: &Span, message: fn(&Dispatch, &Id)) {
    span.with_subscriber(|(id, subscriber)| message(subscriber, id));
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Prepared | Stage::Ended) {
            self.abandon();
        }
    }
}

/// Ends a call whose body has ended.
pub fn settle(call: &mut Call, outcome: Outcome, fault: Option<Fault<'_>>) {
    call.leave_as(outcome);
    if let (Outcome::Error, Some(fault)) = (outcome, fault) {
        call.log_fault(&fault);
    }
}

/// Runs the body of a synchronous function as one call.
#[inline]
pub fn track<R>(
    mut call: Call,
    body: impl FnOnce() -> R,
    judge: impl for<'r> FnOnce(&'r R) -> Verdict<'r>,
) -> R {
    let running = call.run();
    let result = body();
    running.settle(&judge(&result));
    result
}
