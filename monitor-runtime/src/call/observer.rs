//! The interface for listeners to calls and requests.
//!
//! A listener implements [`Observer`] and is installed once, at start. Calls and the HTTP layer notify all observers,
//! and know none by name. Without an observer each event costs one load.
//!
//! Exemplars need the ids bound to a span, which only logging knows, so logging installs a function that finds them.

use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Span;

use super::call_id::CallId;
use super::content::Content;
use super::model_usage::ModelEnded;
use super::settings::Budget;
use crate::cells::exemplars::Identity;
use crate::error_chain::ErrorText;
use crate::families::calls::CallKind;
use crate::families::{Outcome, call_series::CallSeries};

/// A call that begins.
#[derive(Debug)]
pub(crate) struct CallBegun<'c> {
    pub(crate) kind: CallKind,
    pub(crate) series: &'static CallSeries,
    /// The call's span, if a subscriber listens to it.
    pub(crate) span: Option<&'c Span>,
    /// The start, in ticks of the clock.
    pub(crate) started: u64,
    /// The enclosing call, on the same thread or carried there.
    pub(crate) parent: CallId,
    /// The budget of the call, if it is of an agent with one.
    pub(crate) budget: Option<&'static Budget>,
    /// The hash of the arguments that the option `repeats(…)` names.
    pub(crate) arguments: Option<NonZeroU64>,
}

/// A call that ended.
#[derive(Debug)]
pub(crate) struct CallEnded<'c> {
    pub(crate) id: CallId,
    pub(crate) kind: CallKind,
    pub(crate) series: &'static CallSeries,
    /// The call's span, if a subscriber listens to it.
    pub(crate) span: Option<&'c Span>,
    pub(crate) outcome: Outcome,
    /// The start, in ticks of the clock.
    pub(crate) started: u64,
    /// The duration.
    pub(crate) nanos: u64,
    /// The part of the duration between two polls of its body, in ticks of the clock. 0 unless the call is followed.
    pub(crate) waited: u64,
    /// Items that its stream yielded.
    pub(crate) items: u32,
}

/// The first item that a call's stream yielded.
#[derive(Debug)]
pub(crate) struct FirstItem<'c> {
    pub(crate) id: CallId,
    pub(crate) kind: CallKind,
    /// The `operation` of a model call, empty for agents and skills.
    pub(crate) operation: &'static str,
    pub(crate) series: &'static CallSeries,
    /// The call's span, if a subscriber listens to it.
    pub(crate) span: Option<&'c Span>,
    /// The time from the call's start.
    pub(crate) nanos: u64,
}

/// A model call that is about to end, with its usage.
#[derive(Debug)]
pub(crate) struct ModelReplied<'c> {
    pub(crate) id: CallId,
    pub(crate) operation: &'static str,
    pub(crate) series: &'static CallSeries,
    /// The call's span, if a subscriber listens to it.
    pub(crate) span: Option<&'c Span>,
    pub(crate) ended: &'c ModelEnded,
    /// Whether its usage is not known yet; `usage_found` comes later.
    pub(crate) is_kept: bool,
}

/// A listener to calls and requests. Each method runs on the thread of the event and must not block.
pub(crate) trait Observer: Send + Sync {
    /// A call begins on this thread. The first observer that returns an id follows the call, which has that id from then
    /// on. Observers after it do not hear of the begin.
    fn call_begun(&self, call: &CallBegun<'_>) -> Option<CallId> {
        let _ = call;
        None
    }

    /// A call has begun, and has its id from now on.
    fn call_identified(&self, call: CallId, span: Option<&Span>) {
        let _ = (call, span);
    }

    /// A call ended. If its outcome is `error`, its error or judgement comes next, and `call_concluded` after that.
    fn call_ended(&self, call: &CallEnded<'_>);

    /// A model call is about to end, and has reported its usage. `call_ended` comes next.
    fn model_replied(&self, call: &ModelReplied<'_>) {
        let _ = call;
    }

    /// The usage of a model call that has ended was found, or it was found that there is none.
    fn usage_found(&self, call: &ModelReplied<'_>) {
        let _ = call;
    }

    /// Nothing more comes of a call that ended as an error.
    fn call_concluded(&self, call: CallId) {
        let _ = call;
    }

    /// A call's stream yielded its first item.
    fn first_item_yielded(&self, item: &FirstItem<'_>) {
        let _ = item;
    }

    /// The id of the run that encloses a call, if the observer knows one.
    fn identify_run(&self, call: CallId) -> Option<Identity> {
        let _ = call;
        None
    }

    /// Whether the observer keeps contents of calls. If none does, no argument and no result is formatted.
    fn wants_content(&self) -> bool {
        false
    }

    /// A call has begun with this argument, or is about to end with this result, which its attribute names.
    fn content_recorded(&self, call: CallId, content: &Content) {
        let _ = (call, content);
    }

    /// The bytes that the observer uses of the text of an error of the call in this span. If no observer uses any, no error is
    /// formatted for them.
    fn error_bytes(&self, call: CallId, span: Option<&Span>) -> usize;

    /// A call was taken back, as if it had not begun, since another one counts in its place.
    #[cfg(feature = "logging")]
    fn call_withdrawn(&self, call: &CallEnded<'_>) {
        self.call_ended(call);
    }

    /// A call returned an error. Its text is cut if it has more bytes than anybody uses.
    fn call_failed(&self, call: CallId, span: Option<&Span>, error: &ErrorText);

    /// A call returned a value without an error, and the user's own judgement counts it as one.
    fn call_judged(&self, call: CallId) {
        let _ = call;
    }

    /// A call returned an error that has a type, right after its end, or an item of its stream is one, before that.
    fn error_typed(&self, call: CallId, span: Option<&Span>, error_type: &'static str) {
        let _ = (call, span, error_type);
    }

    /// The route of a request became known after its span was opened.
    fn request_routed(&self, span: &Span, method: &str, endpoint: &str);

    /// A request ended, `nanos` after it began, with the status it is counted under.
    fn request_ended(&self, span: Option<&Span>, status: u16, nanos: u64);
}

/// The maximum number of observers, more than there are features that install one.
const MOST_OBSERVERS: usize = 4;

static OBSERVERS: [OnceLock<&'static dyn Observer>; MOST_OBSERVERS] =
    [const { OnceLock::new() }; MOST_OBSERVERS];

/// Whether there is an observer; the one load of each event.
static IS_OBSERVED: AtomicBool = AtomicBool::new(false);

/// Adds an observer for the lifetime of the process. Each must be installed once only.
pub(crate) fn install(observer: &'static dyn Observer) {
    let is_taken = OBSERVERS.iter().any(|slot| slot.set(observer).is_ok());
    debug_assert!(is_taken, "more observers than slots");
    IS_OBSERVED.store(true, Ordering::Release);
}

/// Whether a feature of this build can install an observer. If not, events cost nothing.
const CAN_BE_OBSERVED: bool = cfg!(any(feature = "otlp", feature = "runs", test));

/// Whether there is an observer.
#[inline]
pub(crate) fn is_observed() -> bool {
    CAN_BE_OBSERVED && IS_OBSERVED.load(Ordering::Acquire)
}

/// All observers, in the order of installation.
pub(crate) fn observers() -> impl Iterator<Item = &'static dyn Observer> {
    OBSERVERS.iter().map_while(OnceLock::get).copied()
}

/// Whether an observer keeps contents of calls.
#[inline]
pub(crate) fn wants_content() -> bool {
    is_observed() && observers().any(Observer::wants_content)
}

/// Tells the observers of a content of a call.
pub(crate) fn record_content(call: CallId, content: &Content) {
    notify(|observer| observer.content_recorded(call, content));
}

/// Passes an event to all observers.
#[inline]
pub(crate) fn notify(event: impl Fn(&dyn Observer)) {
    if is_observed() {
        observers().for_each(event);
    }
}

/// Finds the id that identifies a span in logs and traces.
type Identify = fn(&Span) -> Option<Identity>;

static IDENTIFY: OnceLock<Identify> = OnceLock::new();

/// Sets the function that [`identify`] calls. The first one stays.
pub(crate) fn install_identify(identify: Identify) {
    let _ = IDENTIFY.set(identify);
}

/// The preferred id bound in `span`, or in the current span if `span` is missing or disabled. Without one, the id of the
/// run that encloses the call.
pub(crate) fn identify(span: Option<&Span>, call: CallId) -> Option<Identity> {
    let bound = IDENTIFY.get().and_then(|identify| identify(span.unwrap_or(&Span::none())));
    bound.or_else(|| identify_run(call))
}

/// The id of the run that encloses a call, if an observer knows one.
pub(crate) fn identify_run(call: CallId) -> Option<Identity> {
    observers().find_map(|observer| observer.identify_run(call))
}

/// Finds the id of the trace that a span belongs to.
#[cfg(feature = "runs")]
type FindTrace = fn(&Span) -> Option<[u8; 16]>;

#[cfg(feature = "runs")]
static FIND_TRACE: OnceLock<FindTrace> = OnceLock::new();

/// Sets the function that [`trace`] calls. The first one stays.
#[cfg(all(feature = "runs", feature = "logging"))]
pub(crate) fn install_trace(find: FindTrace) {
    let _ = FIND_TRACE.set(find);
}

/// The id of the trace of `span`, or of the current span if `span` is missing or disabled.
#[cfg(feature = "runs")]
pub(crate) fn trace(span: Option<&Span>) -> Option<[u8; 16]> {
    FIND_TRACE.get()?(span.unwrap_or(&Span::none()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::call::{Fault, Verdict, without_fields};

    thread_local! {
        // Parallel tests make calls on other threads.
        static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    struct Recorder;

    fn note(event: String) {
        SEEN.with_borrow_mut(|seen| seen.push(event));
    }

    impl Observer for Recorder {
        fn call_ended(&self, call: &CallEnded<'_>) {
            assert!(call.nanos > 0);
            note(call.outcome.as_str().to_owned());
        }

        fn first_item_yielded(&self, _: &FirstItem<'_>) {
            note("first item".to_owned());
        }

        fn error_bytes(&self, _: CallId, _: Option<&Span>) -> usize {
            100
        }

        fn call_failed(&self, _: CallId, _: Option<&Span>, error: &ErrorText) {
            note(error.message.clone());
        }

        fn request_routed(&self, _: &Span, _: &str, _: &str) {}

        fn request_ended(&self, _: Option<&Span>, _: u16, _: u64) {}
    }

    #[test]
    fn an_observer_is_told_of_items_errors_and_every_end() {
        install(&Recorder);
        let call = || crate::private::site!(Agent, "observed", "observed").enter(without_fields);

        let mut first = call();
        let running = first.run();
        running.first_item();
        running.settle(&Verdict { outcome: Outcome::Success, fault: None });
        let error = "no answer";
        call().run().settle(&Verdict { outcome: Outcome::Error, fault: Some(Fault::displayed(&error)) });
        let mut third = call();
        third.resume();
        third.suspend();
        drop(third);

        let seen = SEEN.take();
        assert_eq!(seen, ["first item", "success", "error", "no answer", "cancelled"]);
    }
}
