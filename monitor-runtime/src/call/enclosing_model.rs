//! The tracked model calls that running code is inside.
//!
//! One call of a model may be tracked more than once: by the attributes of two functions, one of which calls the other, or by an
//! attribute and the span of a framework. Its tokens count once:
//!
//! * A framework's span inside a tracked call is that call. The framework's report is kept here until the tracked call ends,
//!   and used if the call's own reply reports no usage.
//! * Of tracked calls inside each other the innermost one that reports usage counts it. Those around it are calls of their own,
//!   but their tokens are those of the inner one. Embeddings are never those of another operation.
//!
//! An agent between two calls separates them: the inner call is made for that agent, and counts by itself.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::fast::FixedState;

use super::agent_number::AgentNumber;
use super::call_id::CallId;
use super::reply::Report;
use super::settings::EMBEDDINGS;

thread_local! {
    /// The tracked model calls whose bodies the thread is in, and the agents inside them, the innermost last. A call has no
    /// room for the one around it.
    static INSIDE: RefCell<Vec<Entered>> = const { RefCell::new(Vec::new()) };
    /// The number of the calls in [`INSIDE`]. It has no destructor, so an agent outside of any model call just loads it.
    static ENTERED: Cell<usize> = const { Cell::new(0) };
}

/// A call whose body a thread is in.
#[derive(Clone, Copy, Debug)]
struct Entered {
    call: CallId,
    /// The agent for which a model call spends tokens; `None` for the call of an agent.
    spends_for: Option<AgentNumber>,
}

/// A call that another crate tracks, inside a tracked one.
pub(super) trait InnerCall: Send + Sync {
    /// Takes everything that it has reported until now.
    fn take_report(&self) -> Report;
}

/// A tracked call that has ended without usage.
pub(super) trait Silent: fmt::Debug + Send {
    /// Counts the call by the report of the call around it.
    fn count_by(self: Box<Self>, around: Report);
}

/// The call of another crate around a tracked one, to which it has left the count.
pub(super) trait CallAround: fmt::Debug + Send + Sync {
    /// Notes that the tracked call has counted its usage, which is that of this call.
    fn note_counted(&self);

    /// Keeps the tracked call, which has ended without usage, to count it by the report of this one. Does not ask for the call if
    /// this one has ended as well.
    fn keep(&self, call: &mut dyn FnMut() -> Option<Box<dyn Silent>>);
}

/// A tracked model call that has begun and not ended.
#[derive(Default)]
struct RunningCall {
    operation: &'static str,
    /// The tracked model call around it, if no agent is between both.
    outer: Option<CallId>,
    /// The call of another crate around it.
    around: Option<Arc<dyn CallAround>>,
    /// The calls inside that other crates track.
    inner: Vec<Arc<dyn InnerCall>>,
    /// Whether a tracked call inside has counted its usage.
    is_counted: bool,
}

static RUNNING: LazyLock<Mutex<HashMap<CallId, RunningCall, FixedState>>> = LazyLock::new(Mutex::default);

/// Takes back the count of the span around a tracked model call that begins, and returns the call of that span. The argument is
/// the parent of the tracked call.
type TakeBack = fn(CallId) -> Option<Arc<dyn CallAround>>;

static TAKE_BACK: OnceLock<TakeBack> = OnceLock::new();

/// Has tracked model calls take back the count of the spans around them from now on. The first function stays.
pub(super) fn install(take_back: TakeBack) {
    let _ = TAKE_BACK.set(take_back);
}

fn running() -> MutexGuard<'static, HashMap<CallId, RunningCall, FixedState>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves the count of the span around to a tracked call that begins inside the call `parent`. A second time changes nothing.
pub(super) fn take_back(parent: CallId) -> Option<Arc<dyn CallAround>> {
    TAKE_BACK.get().and_then(|take_back| take_back(parent))
}

/// Notes that a model call begins inside `outer`. The id is that of no other call.
pub(super) fn begin(call: CallId, operation: &'static str, parent: CallId, outer: Option<CallId>) {
    let around = take_back(parent);
    let mut running = running();
    // A call that makes embeddings for its prompt uses tokens of its own.
    let is_same = |outer: &RunningCall| (outer.operation == EMBEDDINGS) == (operation == EMBEDDINGS);
    let outer = outer.filter(|outer| running.get(outer).is_some_and(is_same));
    running.insert(call, RunningCall { operation, outer, around, ..RunningCall::default() });
}

/// Notes that the thread enters the body of a model call, which spends tokens for `agent`.
pub(super) fn enter(call: CallId, agent: AgentNumber) {
    change(|inside| inside.push(Entered { call, spends_for: Some(agent) }));
}

/// Notes that the thread enters the body of an agent's call, which matters inside a model call alone.
#[inline]
pub(super) fn enter_agent(call: CallId) {
    if ENTERED.get() > 0 {
        change(|inside| inside.push(Entered { call, spends_for: None }));
    }
}

/// Notes that the thread leaves the body of a call.
#[inline]
pub(super) fn leave(call: CallId) {
    if ENTERED.get() > 0 {
        remove(call);
    }
}

#[cold]
fn remove(call: CallId) {
    change(|inside| {
        // Not always the last one: guards in a body may be dropped in any order.
        if let Some(last) = inside.iter().rposition(|entered| entered.call == call) {
            inside.remove(last);
        }
    });
}

#[cold]
fn change(change: impl FnOnce(&mut Vec<Entered>)) {
    // Fails while the thread ends; a call made then counts by itself.
    let _ = INSIDE.try_with(|inside| {
        let mut inside = inside.borrow_mut();
        change(&mut inside);
        ENTERED.set(inside.len());
    });
}

/// The innermost tracked model call around the running code, whose innermost agent is `agent`. `None` if an agent is in between.
pub(super) fn current(agent: AgentNumber) -> Option<CallId> {
    let last = INSIDE.try_with(|inside| inside.borrow().last().copied()).ok().flatten()?;
    // The agents differ if the one in between has no span: only calls with a span are entered here.
    (last.spends_for == Some(agent)).then_some(last.call)
}

/// Puts a call that another crate tracks inside a tracked one. Returns `false` if that one has ended.
pub(super) fn join(call: CallId, inner: Arc<dyn InnerCall>) -> bool {
    running().get_mut(&call).map(|call| call.inner.push(inner)).is_some()
}

/// The end of a tracked model call.
#[derive(Debug, Default)]
pub(super) struct Ended {
    outer: Option<CallId>,
    around: Option<Arc<dyn CallAround>>,
    /// The report of the calls inside that other crates track.
    pub(super) inner: Report,
    /// Whether a tracked call inside has counted its usage.
    pub(super) is_counted: bool,
}

/// Ends a tracked call.
pub(super) fn end(call: CallId) -> Ended {
    // The lock is not held while the calls inside are asked.
    let ended = running().remove(&call);
    let RunningCall { outer, around, inner: calls, is_counted, .. } = ended.unwrap_or_default();
    let mut inner = Report::default();
    for call in calls {
        inner.add(call.take_report());
    }
    Ended { outer, around, inner, is_counted }
}

impl Ended {
    /// Notes that the usage of the call, or of one inside, was counted. It is not that of the call around, too.
    pub(super) fn note_counted(&self) {
        if let Some(outer) = self.outer {
            // It may have ended, if this one was carried out of it.
            if let Some(call) = running().get_mut(&outer) {
                call.is_counted = true;
            }
        }
        if let Some(around) = &self.around {
            around.note_counted();
        }
    }

    /// The call of another crate around it, which may report the usage later.
    pub(super) fn take_around(&mut self) -> Option<Arc<dyn CallAround>> {
        self.around.take()
    }
}
