//! The tracked model calls that running code is inside.
//!
//! A framework may open a span for a call that an attribute tracks as well. Both are the same call, which counts once: the
//! framework's report is kept here until the tracked call ends, and used if the call's own reply reports no usage.
//!
//! All of this stays empty unless the spans of other crates are read.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::fast::FixedState;

use super::call_id::CallId;
use super::reply::Report;

thread_local! {
    /// The tracked model calls whose bodies the thread is in, the innermost last. A call has no room for the one around it.
    static INSIDE: RefCell<Vec<CallId>> = const { RefCell::new(Vec::new()) };
}

/// A call that another crate tracks, inside a tracked one.
pub(super) trait InnerCall: Send + Sync {
    /// Takes everything that it has reported until now.
    fn take_report(&self) -> Report;
}

/// Tracked calls, each with the calls inside.
type Running = HashMap<CallId, Vec<Arc<dyn InnerCall>>, FixedState>;

/// The tracked model calls that have begun and not ended.
static RUNNING: LazyLock<Mutex<Running>> = LazyLock::new(Mutex::default);

/// Takes back the count of the span around a tracked model call that begins; its argument is the call's parent.
type TakeBack = fn(CallId);

static TAKE_BACK: OnceLock<TakeBack> = OnceLock::new();

/// Keeps the model calls from now on. The first function stays.
pub(super) fn install(take_back: TakeBack) {
    let _ = TAKE_BACK.set(take_back);
}

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the model calls are kept.
pub(super) fn is_kept() -> bool {
    TAKE_BACK.get().is_some()
}

/// Notes that a model call begins, and that it is the one to count. The id is that of no other call.
pub(super) fn begin(call: CallId, parent: CallId) {
    if let Some(take_back) = TAKE_BACK.get() {
        running().entry(call).or_default();
        take_back(parent);
    }
}

/// Notes that the thread enters the body of a model call.
pub(super) fn enter(call: CallId) {
    if is_kept() {
        // Fails while the thread ends; a call made then counts by itself.
        let _ = INSIDE.try_with(|inside| inside.borrow_mut().push(call));
    }
}

/// Notes that the thread leaves the body of a model call.
#[cold]
pub(super) fn leave(call: CallId) {
    let _ = INSIDE.try_with(|inside| {
        let mut inside = inside.borrow_mut();
        // Not always the last one: guards in a body may be dropped in any order.
        if let Some(last) = inside.iter().rposition(|entered| *entered == call) {
            inside.remove(last);
        }
    });
}

/// The innermost tracked model call around the running code.
pub(super) fn current() -> Option<CallId> {
    INSIDE.try_with(|inside| inside.borrow().last().copied()).ok().flatten()
}

/// Puts a call inside a tracked one. Returns `false` if that one has ended.
pub(super) fn join(call: CallId, inner: Arc<dyn InnerCall>) -> bool {
    running().get_mut(&call).map(|inside| inside.push(inner)).is_some()
}

/// Ends a tracked call, and returns the report of the calls inside.
pub(super) fn end(call: CallId) -> Report {
    if !is_kept() {
        return Report::default();
    }
    let inside = running().remove(&call).unwrap_or_default();
    let mut whole = Report::default();
    for inner in inside {
        whole.add(inner.take_report());
    }
    whole
}
