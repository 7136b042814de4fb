//! The identity of a call while it runs, and the call that a thread is in.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::families::agents;
use crate::families::call_series::CallSeries;

thread_local! {
    static CURRENT: Cell<CallId> = const { Cell::new(CallId::NONE) };
}

/// Identifies a call among those that run at the same time.
///
/// Unless calls are followed, it is the start of the call, in ticks of the clock, and the innermost agent. The start is
/// enough to recognize a repeated error, and the ticks repeat after half a day at the earliest. The agent names whose
/// tokens a model call spends. An observer that follows calls gives each a number that is unique in its run:
///
/// ```text
/// bit 63 … 33          32 … 17             16 … 1             0
/// ticks … … … … … … … … … …                number of the agent   0
/// number of the run    number of the call                        1
/// ```
///
/// A run is the outermost agent call with all calls inside it. Calls outside of any run have the run number 0, and calls
/// of a run that is not recorded have [`UNRECORDED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId(u64);

const FOLLOWED: u64 = 1;
/// The places of the numbers in the id of a followed call.
const NUMBER: u32 = 1;
const RUN: u32 = 33;
/// The place of the ticks in other ids.
const TICKS: u32 = 17;

/// The run number of every run for which the observer had no room; also the mask of a run number.
pub(crate) const UNRECORDED: u32 = u32::MAX >> 1;

/// Whether a feature of this build can install an observer that follows calls.
const CAN_BE_FOLLOWED: bool = cfg!(any(feature = "runs", test));

impl CallId {
    pub(crate) const NONE: Self = Self(0);

    /// The id of a call that is not followed. `agent` has the bits of its innermost agent.
    #[inline]
    pub(super) fn began_at(ticks: u64, agent: u32) -> Self {
        Self(ticks << TICKS | u64::from(agent))
    }

    /// The id, with a number in place of the start unless the call is followed.
    pub(super) fn made_unique(self) -> Self {
        // Fewer than the ticks since the machine started, so it is no other call's start.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.is_followed() {
            return self;
        }
        Self(NEXT.fetch_add(1, Ordering::Relaxed) << TICKS | self.0 & u64::from(agents::MASK))
    }

    /// The bits of the innermost agent of a call inside this one: the call itself, or the agent of this one.
    #[expect(clippy::cast_possible_truncation, reason = "the bits of an agent are among the low ones")]
    #[inline]
    pub(super) fn agent_of_child(self, child: &CallSeries) -> u32 {
        self.0 as u32 & child.inherited | child.agent
    }

    /// The id of a followed call. `run` is at most [`UNRECORDED`].
    #[inline]
    pub(crate) fn followed(run: u32, number: u32) -> Self {
        Self(u64::from(run) << RUN | u64::from(number) << NUMBER | FOLLOWED)
    }

    /// The id with these bits, which [`bits`](Self::bits) returned.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Whether an observer follows the call.
    #[inline]
    pub(crate) fn is_followed(self) -> bool {
        CAN_BE_FOLLOWED && self.0 & FOLLOWED != 0
    }

    #[inline]
    fn run_number(self) -> u32 {
        if self.is_followed() { (self.0 >> RUN) as u32 } else { 0 }
    }

    /// The number of the run, if the call is followed and inside a recorded one.
    #[inline]
    pub(crate) fn run(self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.run_number()).filter(|run| run.get() != UNRECORDED)
    }

    /// Whether the call is inside a run that is not recorded.
    #[inline]
    pub(crate) fn is_unrecorded(self) -> bool {
        self.run_number() == UNRECORDED
    }

    /// The number of a followed call, unique in its run.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        (self.0 << (u64::BITS - RUN) >> (u64::BITS - RUN + NUMBER)) as u32
    }

    /// The number of the innermost agent of a call that is not followed; 0 for none.
    #[inline]
    pub(super) fn agent(self) -> u16 {
        agents::number_in(self.0)
    }

    /// The call whose body this thread is in.
    #[inline]
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Makes the call the thread's current one, and returns the previous one.
    #[inline]
    pub(super) fn make_current(self) -> Self {
        CURRENT.replace(self)
    }

    /// Like [`make_current`](Self::make_current), until the guard is dropped.
    #[inline]
    pub(crate) fn enter(self) -> Inside {
        Inside { before: self.make_current() }
    }
}

/// The guard of [`CallId::enter`].
#[derive(Debug)]
pub(crate) struct Inside {
    before: CallId,
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}
