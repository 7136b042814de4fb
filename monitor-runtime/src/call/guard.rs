//! The guard of a call: `begin` counts its start, and its end is counted once.
//!
//! ```text
//! Prepared ── begin ──► Running ── suspend ──► Suspended ── begin_drop ──► Dropping
//!                          ▲                       │
//!                          └──────── resume ───────┘
//!
//! settled   Running: Ended, with the outcome of the verdict
//! dropped   Prepared: no call       Running: panic
//!           Suspended, Dropping: cancelled, or error if an item of the stream was one
//! ```
//!
//! The code that runs on every call is compiled once, for all kinds of calls, and works on a [`Call`] in place, since
//! moving one costs more than counting it.

use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::AtomicU8;

use tracing::span::Id;
use tracing::{Dispatch, Span};

use super::Verdict;
use super::agent_number::AgentNumber;
use super::call_id::CallId;
use super::content::Contents;
use super::enclosing_model;
use super::ended_model::EndedModel;
use super::error_dedup;
use super::extras::{self, Extras, ModelNames, Prepared};
use super::fault::{self, Fault};
use super::observer::{self, CallBegun, CallEnded, FirstItem, ModelReplied};
#[cfg(feature = "logging")]
use super::place::Place;
use super::reply;
use super::settings::{ErrorLog, Settings};
use crate::cells::clock;
use crate::cells::labels::OVERFLOW;
#[cfg(feature = "logging")]
use crate::error_chain::ErrorText;
use crate::error_chain::MOST_BYTES;
use crate::families::CallKind;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;

/// A call, from its preparation on. If it is dropped before its end, its stage decides the outcome.
#[derive(Debug)]
pub struct Call {
    settings: &'static Settings,
    series: &'static CallSeries,
    /// `None` without a listener. A model call then has a disabled one, so that one branch, which each call has, also leads
    /// to the work that only the calls of models need. The drop of the call closes it, since the code that the compiler adds
    /// for an optional span runs as a function of its own on each call: 18 instructions of 202.
    span: ManuallyDrop<Option<Span>>,
    started: u64,
    /// The ticks between polls of a followed call. While the body waits, the start of the wait is subtracted already.
    /// Before the call begins, the hash of its arguments, or 0.
    waited: u64,
    /// Set when the call begins.
    id: CallId,
    /// The call in whose body this one began.
    parent: CallId,
    /// The thread's previous call, while this one is polled as the body of an `async fn`. Before the call begins, the number of
    /// its extras, if it has any.
    around: CallId,
    stage: Stage,
    /// Of a followed call: the agent itself, else the one in whose body it began. While the call runs, that is the thread's
    /// current agent, and this is the previous one.
    agent: AgentNumber,
    /// Set once a stream item was an error; the call then ends as `error`.
    is_failed: bool,
    /// Items that its stream has yielded.
    items: u32,
    _cells: NoCells,
}

// A panic through a call ends it as one and leaves no partial state visible, so a tracked future is as unwind safe as
// its body. The compiler cannot know, since a span holds any subscriber.
impl UnwindSafe for Call {}
impl RefUnwindSafe for Call {}

/// An empty array of a type with interior mutability, which allows deeper nesting of asynchronous functions: the
/// compiler looks for such a type in a future, finds this one, and does not search the futures inside.
type NoCells = [AtomicU8; 0];

/// The stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The series is found and the span is open, but the call has not begun.
    Prepared,
    Ended,
    /// The body is running.
    Running,
    /// The body waits for its next poll.
    Suspended,
    /// The body is being dropped before its end, as part of the call.
    Dropping,
}

impl Call {
    #[inline]
    pub(super) fn prepared(
        settings: &'static Settings,
        series: &'static CallSeries,
        span: Option<Span>,
    ) -> Self {
        let (started, waited) = (0, 0);
        let [id, parent, around] = [CallId::NONE; 3];
        Self {
            settings,
            series,
            span: ManuallyDrop::new(span),
            started,
            waited,
            id,
            parent,
            around,
            agent: AgentNumber::NONE,
            stage: Stage::Prepared,
            is_failed: false,
            items: 0,
            _cells: [],
        }
    }

    /// Makes the prepared call one of a model.
    pub(super) fn of_model(mut self) -> Self {
        self.span.get_or_insert_with(Span::none);
        self
    }

    /// Keeps the names of a model that its series has no room for.
    #[cold]
    pub(super) fn named(self, names: ModelNames) -> Self {
        let mut call = self.of_model();
        let extras = Extras { names: Some(names), ..call.take_extras() };
        call.set_extras(extras);
        call
    }

    /// The id, unless the call's span binds it to log lines.
    fn unbound_id(&self) -> Option<&'static str> {
        let is_bound = self.span.as_ref().is_some_and(|span| !span.is_disabled());
        (!is_bound).then(|| self.series.id())
    }

    /// Runs code in the call's span that is not part of its body.
    #[inline]
    pub(super) fn in_span<T>(&self, code: impl FnOnce() -> T) -> T {
        match self.span.as_ref() {
            Some(span) => span.in_scope(code),
            None => code(),
        }
    }

    /// Whether the call has ended.
    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Whether the call has begun, and its body waits for a poll.
    #[inline]
    pub(super) fn is_suspended(&self) -> bool {
        self.stage == Stage::Suspended
    }

    /// Enters the call to run a part of its body, and begins the call if it is the first part. The part runs inside the
    /// span, and as the parent of inner calls.
    #[inline]
    pub(super) fn run(&mut self) -> Running<'_> {
        let around = self.begin_or_enter();
        Running { call: self, around }
    }

    /// Begins a prepared call whose body runs in one part.
    #[inline]
    pub(super) fn run_whole(&mut self) -> Running<'_> {
        let around = self.begin();
        Running { call: self, around }
    }

    #[inline]
    fn begin_or_enter(&mut self) -> CallId {
        if self.stage == Stage::Prepared { self.begin() } else { self.enter() }
    }

    /// Begins a prepared call, and enters it.
    pub(super) fn begin(&mut self) -> CallId {
        self.started = self.series.start();
        self.begin_started()
    }

    #[inline]
    fn begin_started(&mut self) -> CallId {
        self.parent = CallId::current();
        self.id = CallId::began_at(self.started, self.parent.agent_of_child(self.series));
        if observer::is_observed() {
            self.begin_observed();
        }
        self.enter_from(self.parent)
    }

    /// Sets the hash of the arguments of a prepared call.
    #[inline]
    pub(super) fn set_arguments(&mut self, hash: NonZeroU64) {
        self.waited = hash.get();
    }

    /// Sets the contents of the arguments of a prepared call.
    pub(super) fn set_contents(&mut self, contents: Contents) {
        let extras = Extras { contents: Some(contents), ..self.take_extras() };
        self.set_extras(extras);
    }

    fn set_extras(&mut self, extras: Extras) {
        self.around = CallId::from_bits(Prepared::put(extras).number());
    }

    /// Takes the extras of a prepared call.
    #[inline]
    fn take_extras(&mut self) -> Extras {
        match Prepared::of(self.around.bits()) {
            Some(prepared) => {
                self.around = CallId::NONE;
                prepared.take()
            }
            None => Extras::default(),
        }
    }

    #[inline(never)]
    fn begin_observed(&mut self) {
        let Extras { contents, names } = self.take_extras();
        let arguments = NonZeroU64::new(std::mem::take(&mut self.waited));
        let Self { settings, series, started, parent, .. } = *self;
        let (kind, budget) = (settings.kind, settings.budget);
        if kind == CallKind::Model && self.span.is_some() {
            // Before this call is counted, since a budget may allow one of both.
            enclosing_model::take_back(parent);
        }
        let begun = CallBegun { kind, series, span: self.span.as_ref(), started, parent, budget, arguments };
        let followed = observer::observers().find_map(|observer| observer.call_begun(&begun));
        self.id = followed.unwrap_or(self.id);
        // The parent is not followed if it began before the observer was installed; its id then has the agent.
        self.agent = AgentNumber::of(self.series).unwrap_or_else(|| AgentNumber::around(self.parent));
        if self.id.is_followed() {
            self.enter_followed();
        }
        let (id, span) = (self.id, self.span.as_ref());
        observer::notify(|observer| observer.call_identified(id, span));
        if let Some(contents) = contents {
            contents.iter().for_each(|content| observer::record_content(id, content));
        }
        if names.is_some() {
            self.set_extras(Extras { contents: None, names });
        }
    }

    /// Enters a call that has begun. Returns the thread's previous call.
    #[inline]
    fn enter(&mut self) -> CallId {
        if self.id.is_followed() {
            self.enter_followed();
        }
        self.enter_from(CallId::current())
    }

    #[inline]
    fn enter_from(&mut self, around: CallId) -> CallId {
        self.id.make_current();
        if self.span.is_some() {
            self.enter_span();
        }
        self.stage = Stage::Running;
        around
    }

    #[inline(never)]
    fn enter_followed(&mut self) {
        if self.stage == Stage::Suspended {
            self.waited = self.waited.wrapping_add(clock::now());
        }
        self.agent = self.agent.make_current();
    }

    #[inline]
    fn leave(&mut self, around: CallId) {
        if self.span.is_some() {
            self.leave_span();
        }
        if self.id.is_followed() {
            self.leave_followed();
        }
        around.make_current();
    }

    #[inline(never)]
    fn leave_followed(&mut self) {
        self.agent = self.agent.make_current();
    }

    // Not inlined, since most calls have no span.
    #[inline(never)]
    fn enter_span(&mut self) {
        // Before the subscriber, which may panic.
        let before = std::mem::replace(&mut self.stage, Stage::Running);
        match self.settings.kind {
            CallKind::Model => self.enter_model(before == Stage::Prepared),
            CallKind::Agent => enclosing_model::enter_agent(self.id),
            CallKind::Skill | CallKind::Query => {}
        }
        self.tell(Dispatch::enter);
    }

    #[cold]
    fn enter_model(&mut self, begins: bool) {
        let agent = AgentNumber::around(self.id);
        if begins {
            let outer = enclosing_model::current(agent);
            let names = self.take_extras().names;
            // Two calls may have begun at the same tick.
            self.id = self.id.made_unique();
            self.id.make_current();
            if let Some(names) = names {
                extras::keep_names(self.id, names);
            }
            enclosing_model::begin(self.id, self.settings.operation, self.parent, outer);
        }
        enclosing_model::enter(self.id, agent);
    }

    #[inline(never)]
    fn leave_span(&self) {
        if matches!(self.settings.kind, CallKind::Model | CallKind::Agent) {
            enclosing_model::leave(self.id);
        }
        self.tell(Dispatch::exit);
    }

    /// Sends a message to the subscriber of the span.
    fn tell(&self, message: fn(&Dispatch, &Id)) {
        if let Some(span) = self.span.as_ref() {
            span.with_subscriber(|(id, subscriber)| message(subscriber, id));
        }
    }

    /// Leaves the body until its next poll.
    #[inline]
    fn wait(&mut self, around: CallId) {
        self.leave(around);
        self.stage = Stage::Suspended;
        if self.id.is_followed() {
            self.waited = self.waited.wrapping_sub(clock::now());
        }
    }

    /// Leaves the body and ends the call.
    pub(super) fn settle(&mut self, around: CallId, outcome: Outcome) {
        self.leave_and_end(around, outcome);
    }

    /// Leaves the body of a [resumed](Self::resume) call and ends it.
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

    // Separate and last, so that the fast path need not save registers for it.
    #[inline(never)]
    fn end_observed(&self, outcome: Outcome, nanos: u64) {
        // Before the duration, which takes the call out of flight: a reader that sees the end also sees the usage.
        if self.settings.kind == CallKind::Model {
            self.count_usage(outcome);
        }
        let span = self.span.as_ref();
        self.series.record(outcome, nanos, &|| observer::identify(span, self.id));
        let Self { settings: &Settings { kind, .. }, id, series, started, waited, items, .. } = *self;
        let ended = CallEnded { id, kind, series, span, outcome, started, nanos, waited, items };
        observer::notify(|observer| observer.call_ended(&ended));
    }

    /// The provider and the model, of a call of one.
    pub(super) fn labels(&self) -> [&'static str; 2] {
        self.series.labels.first_values()
    }

    /// Counts what the judge of a model's reply, its stream or its client has just left.
    #[cold]
    fn count_usage(&self, outcome: Outcome) {
        let Self { settings: &Settings { operation, .. }, id, series, items, .. } = *self;
        let mut report = reply::take_report().map(|report| *report).unwrap_or_default();
        if series.id() == OVERFLOW {
            report.requested = extras::take_names(id).or(report.requested);
        }
        let agent = if id.is_followed() { self.agent } else { AgentNumber::around(self.parent) };
        let inside = enclosing_model::end(id);
        let ended = EndedModel { id, operation, series, agent, report, outcome, items, inside };
        let (ended, is_kept) = ended.settle();
        let replied =
            ModelReplied { id, operation, series, span: self.span.as_ref(), ended: &ended, is_kept };
        observer::notify(|observer| observer.model_replied(&replied));
    }

    /// Ends a call whose body has returned, by `verdict`.
    pub(super) fn end_as(mut self, verdict: &Verdict<'_>) {
        self.settle(self.around, verdict.outcome);
        self.log(verdict);
    }

    /// Suspends a call whose body has returned a stream, in which it continues.
    pub(super) fn suspended(mut self) -> Self {
        self.suspend();
        self
    }

    /// Counts and logs the error that the call returned, if any.
    #[inline]
    pub(super) fn log(&self, verdict: &Verdict<'_>) {
        if verdict.outcome == Outcome::Error {
            self.fail(verdict.fault.as_ref());
        }
    }

    /// Counts and logs the error of the call. Without one, its value was judged to be an error.
    #[cold]
    fn fail(&self, fault: Option<&Fault<'_>>) {
        // Also if the `Display` of the error panics.
        let _conclusion = self.has_ended().then(|| Conclusion(self.id));
        match fault {
            Some(fault) => {
                self.count_type(fault);
                self.log_fault(fault);
            }
            None => observer::notify(|observer| observer.call_judged(self.id)),
        }
    }

    /// Counts the error by its type, if it has one, and notifies the observers.
    fn count_type(&self, fault: &Fault<'_>) {
        if let Some(error_type) = fault.error_type() {
            self.settings.kind.family().count_error(&self.series.labels, error_type);
            observer::notify(|observer| observer.error_typed(self.id, self.span.as_ref(), error_type));
        }
    }

    /// Logs the error, if a trait shows it.
    #[cold]
    fn log_fault(&self, fault: &Fault<'_>) {
        if !fault.is_shown() {
            return;
        }
        let span = self.span.as_ref();
        let observed = fault::observed_bytes(self.settings, self.id, span);
        let is_heard = match self.settings.log_errors {
            ErrorLog::Error => fault::is_heard(tracing::Level::ERROR),
            ErrorLog::Warn => fault::is_heard(tracing::Level::WARN),
            ErrorLog::Off => false,
        };
        let most = if is_heard { MOST_BYTES } else { observed };
        if most == 0 {
            return;
        }
        let id = self.id;
        // Formatted once, and as part of the call, since a `Display` may log or call tracked functions.
        let text = self.as_part(id, || fault.text(most));
        if observed > 0 {
            observer::notify(|observer| observer.call_failed(id, span, &text));
        }
        if is_heard && !error_dedup::logged_inside(id, self.parent, span, &text) {
            self.as_part(id, || fault::log(self.settings, self.unbound_id(), &text, fault.error_type()));
        }
    }

    fn as_part<T>(&self, id: CallId, code: impl FnOnce() -> T) -> T {
        let _inside = id.enter();
        // A call that still runs has its agent current.
        let _agent = (self.has_ended() && id.is_followed()).then(|| self.agent.enter());
        self.in_span(code)
    }

    // Separate, since most calls have no span.
    #[inline(never)]
    fn close_span(&mut self) {
        drop(self.span.take());
    }

    /// Ends a call that is dropped before its end, and closes its span even if a subscriber panics.
    #[cold]
    fn abandon(&mut self) {
        Closing(self).0.end_unsettled();
    }

    fn end_unsettled(&mut self) {
        if self.stage == Stage::Prepared {
            drop(self.take_extras());
            return;
        }
        let outcome = match self.stage {
            Stage::Suspended | Stage::Dropping if self.is_failed => Outcome::Error,
            Stage::Suspended | Stage::Dropping => Outcome::Cancelled,
            _ => Outcome::Panic,
        };
        if self.stage != Stage::Suspended {
            self.leave(self.around);
        }
        if self.stage == Stage::Suspended && self.id.is_followed() {
            self.waited = self.waited.wrapping_add(clock::now());
        }
        // None of these outcomes is counted on the fast path.
        self.stage = Stage::Ended;
        self.end_observed(outcome, self.series.nanos_since(self.started));
        if outcome == Outcome::Error {
            drop(Conclusion(self.id));
        }
    }

    /// Enters the call for a poll of its body. The call leaves itself when it ends or is dropped, or by
    /// [`suspend`](Self::suspend).
    pub(super) fn resume(&mut self) {
        self.around = self.begin_or_enter();
    }

    /// Leaves the body until its next poll. If the call is dropped before that, it ends as cancelled.
    pub(super) fn suspend(&mut self) {
        self.wait(self.around);
    }

    /// Enters the call for the drop of its body, unless the call has ended. The call leaves itself when it is dropped.
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

/// Calls that other crates track by their spans.
#[cfg(feature = "logging")]
impl Call {
    /// Begins a call that another crate tracks, at the place and the time when its span was opened, and leaves it.
    pub(super) fn begin_at(&mut self, place: Place, started: u64) {
        let _at_place = place.enter();
        self.series.start();
        self.started = started;
        let around = self.begin_started();
        self.wait(around);
    }

    /// Ends a call that another crate tracks as an error of this type, which may be empty.
    pub(super) fn fail_as(&mut self, error_type: &str) {
        // Not by `leave_as`, which is inlined into the way that the other kinds of calls take.
        self.settle(self.around, Outcome::Error);
        let _conclusion = Conclusion(self.id);
        if error_type.is_empty() {
            return;
        }
        let bounded = self.settings.kind.family().count_error(&self.series.labels, error_type);
        observer::notify(|observer| {
            if let Some(error_type) = bounded {
                observer.error_typed(self.id, None, error_type);
            }
            let most = observer.error_bytes(self.id, None);
            if most > 0 {
                observer.call_failed(self.id, None, &ErrorText::of_text(most, &error_type));
            }
        });
    }

    /// Takes back a call that another crate tracks, as if it had not begun. Observers that know it are told.
    pub(super) fn withdraw(&mut self) {
        self.stage = Stage::Ended;
        self.series.take_back_start();
        let nanos = self.series.nanos_since(self.started);
        let waited = if self.id.is_followed() { self.waited.wrapping_add(clock::now()) } else { self.waited };
        let Self { settings: &Settings { kind, .. }, id, series, started, items, .. } = *self;
        let outcome = Outcome::Success;
        let ended = CallEnded { id, kind, series, span: None, outcome, started, nanos, waited, items };
        observer::notify(|observer| observer.call_withdrawn(&ended));
    }
}

/// A running part of a call's body. If it is dropped by a panic, the call ends as one. Otherwise it ends as a success:
/// a macro in the body has returned from the function.
#[derive(Debug)]
pub(super) struct Running<'c> {
    call: &'c mut Call,
    /// The call that the thread was in before.
    around: CallId,
}

impl Running<'_> {
    /// Leaves the body until its next poll. If the call is dropped before that, it ends as cancelled, or as an error if
    /// one of its items was an error.
    #[inline]
    pub(super) fn suspend(self) {
        self.call.wait(self.around);
        std::mem::forget(self);
    }

    /// Ends the body and the call, by `verdict`.
    #[inline]
    pub(super) fn settle(self, verdict: &Verdict<'_>) {
        self.call.settle(self.around, verdict.outcome);
        self.call.log(verdict);
        std::mem::forget(self);
    }

    /// Whether the items of the call's stream may report usage.
    #[inline]
    pub(super) fn is_of_model(&self) -> bool {
        self.call.settings.kind == CallKind::Model
    }

    /// Notes the verdict on an item of the call's stream.
    pub(super) fn observe(&mut self, verdict: &Verdict<'_>) {
        self.call.items = self.call.items.saturating_add(1);
        if verdict.outcome == Outcome::Error {
            let is_first = !std::mem::replace(&mut self.call.is_failed, true);
            match &verdict.fault {
                // A stream is one call, so only its first error is counted by type.
                fault if is_first => self.call.fail(fault.as_ref()),
                Some(fault) => self.call.log_fault(fault),
                None => {}
            }
        }
    }

    /// Records the time to the first item of the call's stream. There is no such metric for queries.
    pub(super) fn first_item(&self) {
        if self.call.settings.kind != CallKind::Query {
            self.first_item_after(self.call.series.nanos_since(self.call.started));
        }
    }

    /// Records the time to the first item, in nanoseconds.
    pub(super) fn first_item_after(&self, nanos: u64) {
        let Call { settings: &Settings { kind, operation, .. }, series, id, .. } = *self.call;
        let span = self.call.span.as_ref();
        series.record_first_item(nanos, || observer::identify(span, id));
        let item = FirstItem { id, kind, operation, series, span, nanos };
        observer::notify(|observer| observer.first_item_yielded(&item));
    }

    /// Ends the call at the end of its stream.
    pub(super) fn finish(self) {
        let outcome = if self.call.is_failed { Outcome::Error } else { Outcome::Success };
        self.call.settle(self.around, outcome);
        if outcome == Outcome::Error {
            drop(Conclusion(self.call.id));
        }
        std::mem::forget(self);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // The call has already ended if the log line of its error panicked.
        if !self.call.has_ended() {
            let outcome = if std::thread::panicking() { Outcome::Panic } else { Outcome::Success };
            self.call.settle(self.around, outcome);
        }
    }
}

/// Notifies the observers, when dropped, that nothing more comes of a call that ended as an error.
struct Conclusion(CallId);

impl Drop for Conclusion {
    fn drop(&mut self) {
        observer::notify(|observer| observer.call_concluded(self.0));
    }
}

/// Closes the span of a call, when dropped.
struct Closing<'c>(&'c mut Call);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close_span();
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if self.stage != Stage::Ended {
            self.abandon();
        }
        if self.span.is_some() {
            self.close_span();
        }
    }
}

/// Makes a prepared call one of a model.
pub fn of_model(call: Call) -> Call {
    call.of_model()
}

/// Ends a call whose body has ended.
pub fn settle(call: &mut Call, outcome: Outcome, fault: Option<Fault<'_>>) {
    call.leave_as(outcome);
    match (outcome, fault) {
        (Outcome::Error, Some(fault)) => call.fail(Some(&fault)),
        (Outcome::Error, None) => call.fail(None),
        _ => {}
    }
}

/// Ends a call whose body has ended, by `verdict`.
pub fn settle_by(call: &mut Call, verdict: &Verdict<'_>) {
    // Not by `leave_as`, which is inlined into the way that the other kinds of calls take.
    call.settle(call.around, verdict.outcome);
    call.log(verdict);
}

/// Runs the body of a synchronous function as a call.
#[inline]
pub fn track<R>(
    mut call: Call,
    body: impl FnOnce() -> R,
    judge: impl for<'r> FnOnce(&'r R) -> Verdict<'r>,
) -> R {
    let running = call.run_whole();
    let result = body();
    running.settle(&judge(&result));
    result
}
