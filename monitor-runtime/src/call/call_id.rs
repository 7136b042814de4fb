//! The identity of a call while it runs, and the call that a thread is in.

use std::cell::Cell;
use std::num::NonZeroU32;

thread_local! {
    static CURRENT: Cell<CallId> = const { Cell::new(CallId::NONE) };
}

/// Identifies a call among those that run at the same time.
///
/// Unless calls are followed, it is the start of the call, in ticks of the clock. That is enough to recognize a repeated
/// error, and costs nothing. An observer that follows calls gives each a number that is unique in its run:
///
/// ```text
/// bit 63   62 … 32             31 … 0
/// 0        ticks
/// 1        number of the run   number of the call
/// ```
///
/// A run is the outermost agent call with all calls inside it. Calls outside of any run have the run number 0, and calls
/// of a run that is not recorded have [`UNRECORDED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId(u64);

const FOLLOWED: u64 = 1 << 63;

/// The run number of every run for which the observer had no room; also the mask of a run number.
pub(crate) const UNRECORDED: u32 = u32::MAX >> 1;

/// Whether a feature of this build can install an observer that follows calls.
const CAN_BE_FOLLOWED: bool = cfg!(any(feature = "runs", test));

impl CallId {
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(super) fn began_at(ticks: u64) -> Self {
        Self(ticks & !FOLLOWED)
    }

    /// The id of a followed call. `run` is at most [`UNRECORDED`].
    #[inline]
    pub(crate) fn followed(run: u32, number: u32) -> Self {
        Self(FOLLOWED | u64::from(run) << 32 | u64::from(number))
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
        if self.is_followed() { (self.0 >> 32) as u32 & UNRECORDED } else { 0 }
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
        (self.0 << 32 >> 32) as u32
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
