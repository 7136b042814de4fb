//! The runs that go on, as far as the calls themselves know them: a slot each, found by the run's number.
//!
//! A tree is built later, by the recorder's thread. A slot holds the answers that code inside a run may ask for at any moment
//! (id, start, number of calls), and the count of open calls, which decides the end of the run even if records were lost.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::details::Details;
use crate::call::call_id::UNRECORDED;
use crate::families::CallKind;
use crate::families::call_series::CallSeries;
use crate::families::runs;

/// The slots that a new run tries before it counts as lost.
const PROBED: usize = 64;

/// A run that goes on.
///
/// ```text
/// state   bit 63             62 … 32            31                     30           29 … 0
///         a record was lost  number of the run  no recorder builds it  has details  open calls
/// ```
///
/// A run that no recorder builds has a slot only since its agent has a budget. Its last call frees the slot.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct LiveRun {
    /// One word, so that a slot is freed only while no call is open, and a call joins only before that. 0 if free.
    state: AtomicU64,
    /// The start, in the clock's ticks.
    started: AtomicU64,
    /// The trace of the run; 0 if it has none.
    trace: [AtomicU64; 2],
    /// Skill calls that have begun.
    skills: AtomicU32,
    /// Model calls that have begun.
    models: AtomicU32,
    /// The number of its agent's series.
    agent: AtomicU32,
    /// Locked only if the state says that there are details, or to add them.
    details: Mutex<Option<Box<Details>>>,
}

const IS_LOSSY: u64 = 1 << 63;
const IS_UNRECORDED: u64 = 1 << 31;
const HAS_DETAILS: u64 = 1 << 30;
const OPEN: u64 = HAS_DETAILS - 1;

/// The state of a slot that is being freed: of no run, and not free.
const CLOSING: u64 = IS_LOSSY;

fn number_of(state: u64) -> u32 {
    ((state & !IS_LOSSY) >> 32) as u32
}

/// Whether a recorder, if there is one, has room for texts beside the trees of the runs that go on.
static HAS_ROOM: AtomicBool = AtomicBool::new(true);

/// Notes whether there is room for texts.
pub(crate) fn set_room(has_room: bool) {
    HAS_ROOM.store(has_room, Ordering::Relaxed);
}

/// Whether there is room for texts, as of the last look.
pub(crate) fn has_room() -> bool {
    HAS_ROOM.load(Ordering::Relaxed)
}

static SLOTS: OnceLock<Box<[LiveRun]>> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Bytes of a slot.
pub(crate) const SLOT_BYTES: usize = size_of::<LiveRun>();

/// Allocates the slots, a power of two. The first call decides their number.
pub(crate) fn prepare(count: usize) {
    debug_assert!(count.is_power_of_two());
    SLOTS.get_or_init(|| (0..count).map(|_| LiveRun::default()).collect());
}

#[inline]
fn slot_of(number: u32) -> Option<&'static LiveRun> {
    let slots = SLOTS.get()?;
    slots.get(number as usize & slots.len().wrapping_sub(1))
}

/// Takes a slot for a run that begins, with its first call open. `None` if too many runs go on.
pub(crate) fn begin(
    agent: u32,
    started: u64,
    trace: Option<[u8; 16]>,
    is_recorded: bool,
) -> Option<NonZeroU32> {
    let mark = if is_recorded { 0 } else { IS_UNRECORDED };
    for _ in 0..PROBED {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) & UNRECORDED;
        let Some(run) = NonZeroU32::new(number).filter(|_| number != UNRECORDED) else { continue };
        let slot = slot_of(number)?;
        let taken = u64::from(number) << 32 | mark | 1;
        if slot.state.compare_exchange(0, taken, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            slot.reset(agent, started, trace);
            return Some(run);
        }
    }
    None
}

/// Gives back the slot of a run whose first call has not been told its number.
#[cold]
pub(crate) fn give_back(number: NonZeroU32) {
    if let Some(slot) = slot_of(number.get()) {
        slot.state.store(0, Ordering::Release);
    }
}

/// The slot of a run, if the run goes on.
#[inline]
pub(crate) fn find(number: NonZeroU32) -> Option<&'static LiveRun> {
    let slot = slot_of(number.get())?;
    (number_of(slot.state.load(Ordering::Acquire)) == number.get()).then_some(slot)
}

/// Counts a call that begins in a run. Returns whether the run has details; `None` if it is over.
#[inline]
pub(crate) fn join(number: NonZeroU32, kind: CallKind) -> Option<bool> {
    let slot = slot_of(number.get())?;
    let more = |state| (number_of(state) == number.get()).then_some(state + 1);
    let before = slot.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok()?;
    match kind {
        CallKind::Skill => slot.skills.fetch_add(1, Ordering::Relaxed),
        CallKind::Model => slot.models.fetch_add(1, Ordering::Relaxed),
        CallKind::Agent | CallKind::Query => 0,
    };
    Some(before & HAS_DETAILS != 0)
}

/// Takes back the count of a model call that joined the run. It is still open.
#[cfg(feature = "logging")]
pub(crate) fn uncount_model(number: NonZeroU32) {
    if let Some(slot) = find(number) {
        slot.models.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts the end of a call that joined the run or began it, after its last record was pushed.
#[inline]
pub(crate) fn leave(number: NonZeroU32) {
    // The slot is still the run's: this call keeps it open.
    if let Some(slot) = slot_of(number.get()) {
        let before = slot.state.fetch_sub(1, Ordering::AcqRel);
        if before & (IS_UNRECORDED | OPEN) == IS_UNRECORDED | 1 {
            if let Some(freed) = free(number) {
                freed.count();
            }
        }
    }
}

/// Notes that no recorder builds the run, so its last call frees the slot. The caller's call is open.
#[cold]
pub(crate) fn leave_unrecorded(number: NonZeroU32) {
    if let Some(slot) = slot_of(number.get()) {
        slot.state.fetch_or(IS_UNRECORDED, Ordering::AcqRel);
    }
}

/// Whether the run goes on and has details.
#[inline]
pub(crate) fn has_details(number: NonZeroU32) -> bool {
    let state = slot_of(number.get()).map_or(0, |slot| slot.state.load(Ordering::Acquire));
    state & HAS_DETAILS != 0 && number_of(state) == number.get()
}

/// Reads or changes the details of a run. `None` if it has none, or is over.
pub(crate) fn with_details<T>(number: NonZeroU32, work: impl FnOnce(&mut Details) -> T) -> Option<T> {
    if !has_details(number) {
        return None;
    }
    let mut details = slot_of(number.get())?.details.lock().unwrap_or_else(PoisonError::into_inner);
    // The slot may be another run's by now.
    details.as_deref_mut().filter(|details| details.run == number).map(work)
}

/// Like [`with_details`], and gives the run details if it has none. `None` if it is over.
#[cold]
pub(crate) fn add_details<T>(number: NonZeroU32, work: impl FnOnce(&mut Details) -> T) -> Option<T> {
    let slot = slot_of(number.get())?;
    let mut details = slot.details.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever frees the slot changes its state first and takes the details after that, so these are not left behind.
    let marked = |state| (number_of(state) == number.get()).then_some(state | HAS_DETAILS);
    slot.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, marked).ok()?;
    Some(work(details.get_or_insert_with(|| Box::new(Details::new(number)))))
}

/// Notes that a record of the run was lost, unless the run is over: a task that outlived it may still speak of it.
#[cold]
pub(crate) fn lose(number: NonZeroU32) {
    if let Some(slot) = slot_of(number.get()) {
        let marked = |state| (number_of(state) == number.get()).then_some(state | IS_LOSSY);
        let _ = slot.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, marked);
    }
}

/// A run whose slot was freed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freed {
    /// Whether a record of it was lost.
    pub(crate) is_lossy: bool,
    agent: u32,
    model_calls: u32,
    skill_calls: u32,
}

impl Freed {
    /// Counts the run. It may log, so the caller holds no lock.
    pub(crate) fn count(&self) {
        if let Some(agent) = CallSeries::numbered(self.agent) {
            runs::observe(agent.id(), self.model_calls, self.skill_calls);
        }
    }
}

/// Frees the slot of a run without open calls, which none joins from then on. `None` if a call is open.
#[must_use = "the run is to be counted"]
pub(crate) fn free(number: NonZeroU32) -> Option<Freed> {
    let slot = slot_of(number.get())?;
    let closing = |state| (number_of(state) == number.get() && state & OPEN == 0).then_some(CLOSING);
    let state = slot.state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, closing).ok()?;
    // Nobody changes the counts now, and no other run takes the slot yet.
    let (agent, model_calls, skill_calls) = (slot.agent(), slot.model_calls(), slot.skill_calls());
    let details = slot.details.lock().unwrap_or_else(PoisonError::into_inner).take();
    slot.state.store(0, Ordering::Release);
    drop(details);
    Some(Freed { is_lossy: state & IS_LOSSY != 0, agent, model_calls, skill_calls })
}

impl LiveRun {
    fn reset(&self, agent: u32, started: u64, trace: Option<[u8; 16]>) {
        self.skills.store(0, Ordering::Relaxed);
        self.models.store(0, Ordering::Relaxed);
        self.started.store(started, Ordering::Relaxed);
        self.agent.store(agent, Ordering::Relaxed);
        let trace = u128::from_be_bytes(trace.unwrap_or_default());
        self.trace[0].store((trace >> 64) as u64, Ordering::Relaxed);
        self.trace[1].store((trace << 64 >> 64) as u64, Ordering::Relaxed);
    }

    /// Whether a record of the run was lost so far.
    pub(crate) fn is_lossy(&self) -> bool {
        self.state.load(Ordering::Acquire) & IS_LOSSY != 0
    }

    pub(crate) fn skill_calls(&self) -> u32 {
        self.skills.load(Ordering::Relaxed)
    }

    pub(crate) fn model_calls(&self) -> u32 {
        self.models.load(Ordering::Relaxed)
    }

    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    pub(crate) fn agent(&self) -> u32 {
        self.agent.load(Ordering::Relaxed)
    }

    /// The trace of the run, if it has one.
    pub(crate) fn trace(&self) -> Option<[u8; 16]> {
        let [high, low] =
            [&self.trace[0], &self.trace[1]].map(|half| u128::from(half.load(Ordering::Relaxed)));
        let trace = high << 64 | low;
        (trace != 0).then(|| trace.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_freed_once_all_calls_have_left_and_none_joins_then() {
        prepare(64);
        let run = begin(1, 2, Some([7; 16]), true).unwrap();
        for kind in [CallKind::Skill, CallKind::Model, CallKind::Model, CallKind::Query] {
            assert_eq!(join(run, kind), Some(false));
            leave(run);
        }
        assert!(free(run).is_none());
        lose(run);
        let live = find(run).unwrap();
        assert_eq!((live.skill_calls(), live.model_calls()), (1, 2));
        assert_eq!((live.started(), live.agent()), (2, 1));
        assert_eq!((live.trace(), live.is_lossy()), (Some([7; 16]), true));
        leave(run);
        assert_eq!(free(run).map(|freed| freed.is_lossy), Some(true));
        assert_eq!(join(run, CallKind::Skill), None);
        assert!(find(run).is_none());
        assert!(free(run).is_none());
    }

    #[test]
    fn a_loss_in_a_run_that_is_over_is_no_loss_of_another() {
        prepare(64);
        let run = begin(1, 2, None, true).unwrap();
        leave(run);
        assert!(free(run).is_some());
        lose(run);
        let slot = slot_of(run.get()).unwrap();
        assert_eq!(slot.state.load(Ordering::Relaxed), 0, "the slot stays free");
    }

    #[test]
    fn details_end_with_their_run() {
        prepare(64);
        let run = begin(1, 2, None, true).unwrap();
        assert!(!has_details(run));
        assert_eq!(with_details(run, |_| ()), None);
        assert_eq!(add_details(run, |details| details.run), Some(run));
        assert_eq!(join(run, CallKind::Model), Some(true));
        leave(run);
        leave(run);
        assert_eq!(with_details(run, |details| details.run), Some(run));
        assert_eq!(free(run).map(|freed| freed.is_lossy), Some(false));
        assert_eq!(with_details(run, |_| ()), None);
        assert_eq!(add_details(run, |_| ()), None);
    }

    #[test]
    fn the_last_call_frees_the_slot_of_a_run_that_no_recorder_builds() {
        prepare(64);
        let run = begin(1, 2, None, false).unwrap();
        assert_eq!(join(run, CallKind::Query), Some(false));
        leave(run);
        assert!(find(run).is_some());
        leave(run);
        assert!(find(run).is_none());
    }

    #[test]
    fn a_slot_takes_one_cache_line() {
        assert_eq!(SLOT_BYTES, 64);
    }
}
