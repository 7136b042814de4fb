//! The observer of calls that gives each its run, and tells the recorder of it.

use std::cell::Cell;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use tracing::Span;

use super::counting;
use super::event::Event;
use super::id::RunId;
use super::live;
use super::lone::LoneCalls;
use super::recorder::{Recorder, queue_remarks};
use super::remark::Remark;
use super::reply::Reply;
use super::text::{content_text, error_bytes, error_text};
use crate::call::Content;
use crate::call::call_id::{CallId, UNRECORDED};
use crate::call::observer::{self, CallBegun, CallEnded, FirstItem, ModelReplied, Observer};
use crate::cells::exemplars::Identity;
use crate::error_chain::ErrorText;
use crate::families::Outcome;
use crate::families::calls::CallKind;

/// The numbers that a thread takes at once for its calls.
const BLOCK: u32 = 1_024;

/// The slots of runs if budgets are used without a recorder.
const RUNS_WITH_BUDGET: usize = 4_096;

thread_local! {
    /// The next number for a call of this thread. At a multiple of [`BLOCK`] the thread takes a new block.
    static NEXT_NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// Has calls followed from now on, with slots for this many runs at a time.
///
/// A recorder follows all of them. Without one, only those inside an agent with a budget are, and nothing is recorded.
pub(super) fn follow(runs: usize) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        live::prepare(runs);
        observer::install(&Follower);
    });
}

/// Has the calls inside agents with a budget counted from now on.
pub(super) fn follow_budgets() {
    follow(RUNS_WITH_BUDGET);
}

/// The recorder as an observer.
struct Follower;

impl Observer for Follower {
    fn call_begun(&self, call: &CallBegun<'_>) -> Option<CallId> {
        let recorder = Recorder::get();
        let CallBegun { kind, parent, budget, arguments, .. } = *call;
        let number = next_number();
        if parent.is_unrecorded() {
            // The budget of an agent holds all the same.
            let is_metered = kind == CallKind::Agent && budget.is_some();
            let unrecorded = CallId::followed(UNRECORDED, number);
            return Some(if is_metered { begin_run(None, call, number) } else { unrecorded });
        }
        // Once its run is over, an agent call that was carried out of it begins another.
        if let Some((run, has_details)) = parent.run().and_then(|run| Some((run, live::join(run, kind)?))) {
            let id = CallId::followed(run.get(), number);
            if let Some(recorder) = recorder {
                recorder.push_of(run, begin_of(call, id));
            }
            if has_details || budget.is_some() || arguments.is_some() {
                queue_remarks(run, counting::begin(run, id, call, false));
            }
            return Some(id);
        }
        if kind == CallKind::Agent && (recorder.is_some() || budget.is_some()) {
            return Some(begin_run(recorder, call, number));
        }
        recorder.map(|_| CallId::followed(0, number))
    }

    fn first_item_yielded(&self, item: &FirstItem<'_>) {
        let FirstItem { id, nanos, .. } = *item;
        if let (Some(run), Some(recorder)) = (id.run(), Recorder::get()) {
            recorder.push_of(run, Event::FirstItem { id, nanos });
        }
    }

    fn model_replied(&self, replied: &ModelReplied<'_>) {
        if !replied.is_kept {
            self.usage_found(replied);
        }
    }

    fn usage_found(&self, replied: &ModelReplied<'_>) {
        let (call, ended) = (replied.id, replied.ended);
        let Some(run) = call.run() else { return };
        if let Some(recorder) = Recorder::get() {
            let reply = Box::new(Reply::new(ended));
            recorder.spend(run, &reply);
            recorder.push_remark(run, call, Remark::Reply(reply));
        }
        if live::has_details(run) {
            queue_remarks(run, counting::model_ended(run, call, ended));
        }
    }

    fn call_ended(&self, call: &CallEnded<'_>) {
        let CallEnded { id, started, nanos, waited, items, outcome, series, .. } = *call;
        let recorder = Recorder::get();
        let Some(run) = id.run() else {
            let is_lone = id.is_followed() && !id.is_unrecorded();
            if let Some(recorder) = recorder.filter(|_| is_lone) {
                // The clock has just been read, and each reading is a good part of a call.
                let began = recorder.nanos_until(started);
                recorder.lone().offer(id, series, outcome, nanos, began.saturating_add(nanos));
            }
            return;
        };
        if let Some(recorder) = recorder {
            recorder.push_of(run, Event::End { id, nanos, waited, items, outcome });
        }
        if live::has_details(run) {
            queue_remarks(run, counting::end(run, id, outcome));
        }
        if outcome != Outcome::Error {
            live::leave(run);
        }
    }

    #[cfg(feature = "logging")]
    fn call_withdrawn(&self, call: &CallEnded<'_>) {
        let id = call.id;
        let Some(run) = id.run() else { return };
        live::uncount_model(run);
        if let Some(recorder) = Recorder::get() {
            recorder.push_of(run, Event::Withdrawn { id });
        }
        if live::has_details(run) {
            counting::withdraw(run, id);
        }
        live::leave(run);
    }

    fn call_concluded(&self, id: CallId) {
        if let Some(run) = id.run() {
            live::leave(run);
        }
    }

    fn identify_run(&self, call: CallId) -> Option<Identity> {
        Recorder::get()?;
        Identity::new("run_id", &RunId::of_call(call)?.to_string())
    }

    fn wants_content(&self) -> bool {
        Recorder::get().is_some()
    }

    fn content_recorded(&self, call: CallId, content: &Content) {
        if let (Some(run), Some(recorder)) = (call.run(), Recorder::get()) {
            let text = content_text(content);
            recorder.push_remark(run, call, Remark::Content(Content { name: content.name, text }));
        }
    }

    fn error_bytes(&self, call: CallId, _: Option<&Span>) -> usize {
        let is_kept = Recorder::get().is_some() && (call.run().is_some() || LoneCalls::wants_error(call));
        if is_kept { error_bytes() } else { 0 }
    }

    fn call_failed(&self, call: CallId, _: Option<&Span>, error: &ErrorText) {
        let Some(recorder) = Recorder::get() else { return };
        match call.run() {
            Some(run) => {
                recorder.push_remark(run, call, Remark::Error(error_text(&error.whole)));
            }
            None if LoneCalls::wants_error(call) => recorder.lone().fail(call, &error.whole),
            None => {}
        }
    }

    fn call_judged(&self, id: CallId) {
        if let (Some(run), Some(recorder)) = (id.run(), Recorder::get()) {
            recorder.push_of(run, Event::Judged { id });
        }
    }

    fn request_routed(&self, _: &Span, _: &str, _: &str) {}

    fn request_ended(&self, _: Option<&Span>, _: u16, _: u64) {}
}

fn begin_of(call: &CallBegun<'_>, id: CallId) -> Event {
    let CallBegun { kind, started: ticks, parent, series, .. } = *call;
    Event::Begin { id, parent, ticks, kind, series: series.number() }
}

/// Begins a run with its outermost call. Without a recorder, or if that has no room, it is one whose calls are only counted.
fn begin_run(recorder: Option<&Recorder>, call: &CallBegun<'_>, number: u32) -> CallId {
    let trace = observer::trace(call.span);
    if let Some(run) = live::begin(call.series.number(), call.started, trace, recorder.is_some()) {
        let id = CallId::followed(run.get(), number);
        let is_recorded = recorder.is_some_and(|recorder| recorder.push(begin_of(call, id)));
        if call.budget.is_some() {
            queue_remarks(run, counting::begin(run, id, call, true));
        }
        if is_recorded {
            return id;
        }
        recorder.into_iter().for_each(Recorder::lose_run);
        if call.budget.is_some() {
            live::leave_unrecorded(run);
            return id;
        }
        live::give_back(run);
    } else {
        recorder.into_iter().for_each(Recorder::lose_run);
    }
    CallId::followed(UNRECORDED, number)
}

/// A number that no other call of the process has at the same time.
#[inline]
fn next_number() -> u32 {
    static NEXT_BLOCK: AtomicU32 = AtomicU32::new(BLOCK);
    let mut number = NEXT_NUMBER.get();
    if number % BLOCK == 0 {
        number = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
    }
    NEXT_NUMBER.set(number.wrapping_add(1));
    number
}
