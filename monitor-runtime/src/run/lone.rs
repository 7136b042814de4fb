//! Samples of lone calls: those outside of any run, of which nothing else is kept.
//!
//! Each id keeps ten samples for each decade of the durations that succeeded, ten of failures and ten of cancelled calls,
//! which ended at least a second apart. A call that is no sample costs a
//! look at the clock, a load and a comparison.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use super::text::{MOST_ERROR_BYTES, shortened};
use crate::call::call_id::CallId;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;
use crate::families::readings::{DECADES, decade_of};

/// The cells of an id: decades, failures, cancelled calls.
const CELLS: usize = DECADES + 2;

/// The samples of a cell.
const EACH: usize = 10;

/// The ids that have places of their own for the second of their last samples. Further ones share them, so they may miss a
/// sample for a second.
const PLACES: usize = 512;

thread_local! {
    /// The sample that this thread has just taken of a failed call, whose error comes next.
    static FAILED: Cell<CallId> = const { Cell::new(CallId::NONE) };
}

/// A call outside of any run.
#[derive(Clone, Debug)]
pub(crate) struct LoneCall {
    id: CallId,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) outcome: Outcome,
    pub(crate) error: Option<Box<str>>,
}

/// The samples of all ids.
#[derive(Debug)]
pub(super) struct LoneCalls {
    /// The second of the last sample of each cell, plus one.
    seconds: Box<[AtomicU32]>,
    kept: Mutex<Kept>,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the number of the series.
    ids: HashMap<u32, [VecDeque<LoneCall>; CELLS], RandomState>,
    bytes: usize,
}

/// Bytes of an id with its cells, and of a sample besides its error.
const ID_BYTES: usize = size_of::<(u32, [VecDeque<LoneCall>; CELLS])>() * 2;
const SAMPLE_BYTES: usize = size_of::<LoneCall>() * 2;

impl LoneCalls {
    pub(super) fn new(most_bytes: usize) -> Self {
        let seconds = (0..PLACES * CELLS).map(|_| AtomicU32::new(0)).collect();
        Self { seconds, kept: Mutex::default(), most_bytes }
    }

    /// The bytes that all of it takes.
    pub(super) fn bytes(&self) -> usize {
        self.fixed() + self.lock().bytes
    }

    fn fixed(&self) -> usize {
        self.seconds.len() * size_of::<AtomicU32>()
    }

    /// The number of samples.
    pub(super) fn count(&self) -> usize {
        self.lock().ids.values().flatten().map(VecDeque::len).sum()
    }

    /// Takes the call as a sample, unless its cell has one of this second. `now` is in nanoseconds since the start of the recorder.
    #[inline]
    pub(super) fn offer(
        &self,
        id: CallId,
        series: &'static CallSeries,
        outcome: Outcome,
        nanos: u64,
        now: u64,
    ) {
        let cell = cell_of(outcome, Duration::from_nanos(nanos));
        let number = series.number();
        let place = number as usize % PLACES * CELLS + cell;
        let Some(last) = self.seconds.get(place) else { return };
        let second = u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX).saturating_add(1);
        let before = last.load(Ordering::Relaxed);
        if before != second
            && last.compare_exchange(before, second, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.take(id, number, cell, outcome, Duration::from_nanos(nanos));
        }
    }

    #[cold]
    fn take(&self, id: CallId, number: u32, cell: usize, outcome: Outcome, duration: Duration) {
        let started = SystemTime::now().checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut kept = self.lock();
        let is_new = !kept.ids.contains_key(&number);
        let bytes = SAMPLE_BYTES + if is_new { ID_BYTES } else { 0 };
        if kept.bytes + self.fixed() + bytes > self.most_bytes {
            return;
        }
        kept.bytes += bytes;
        let calls = &mut kept.ids.entry(number).or_default()[cell];
        calls.push_back(LoneCall { id, started, duration, outcome, error: None });
        let pushed_out = if calls.len() > EACH { calls.pop_front() } else { None };
        if let Some(call) = pushed_out {
            kept.bytes -= SAMPLE_BYTES + call.error.map_or(0, |error| error.len());
        }
        drop(kept);
        if outcome == Outcome::Error {
            FAILED.set(id);
        }
    }

    /// Whether the call is the sample that waits for its error.
    pub(super) fn wants_error(id: CallId) -> bool {
        FAILED.get() == id && id != CallId::NONE
    }

    /// Adds the error of the sample that waits for it.
    pub(super) fn fail(&self, id: CallId, error: &str) {
        FAILED.set(CallId::NONE);
        let error = shortened(error, MOST_ERROR_BYTES);
        let mut kept = self.lock();
        if kept.bytes + self.fixed() + error.len() > self.most_bytes {
            return;
        }
        let Kept { ids, bytes } = &mut *kept;
        let found = ids.values_mut().filter_map(|cells| cells[DECADES].back_mut()).find(|call| call.id == id);
        if let Some(call) = found {
            *bytes += error.len();
            call.error = Some(error);
        }
    }

    /// The samples of an id, by the number of its series.
    pub(super) fn of(&self, number: u32) -> Vec<LoneCall> {
        let kept = self.lock();
        kept.ids.get(&number).into_iter().flatten().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cell of a call.
fn cell_of(outcome: Outcome, duration: Duration) -> usize {
    match outcome {
        Outcome::Success => decade_of(duration),
        Outcome::Error | Outcome::Panic => DECADES,
        Outcome::Cancelled => DECADES + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::CallKind;
    use crate::families::family::Found;

    fn series(name: &str) -> &'static CallSeries {
        let (Found::Own(series) | Found::Overflow(series)) = CallKind::Skill.family().series.find(&[name]);
        series
    }

    fn offer(calls: &LoneCalls, series: &'static CallSeries, number: u32, outcome: Outcome, second: u64) {
        let id = CallId::followed(0, number);
        calls.offer(id, series, outcome, 1_000, second * 1_000_000_000);
    }

    #[test]
    fn a_cell_keeps_ten_samples_a_second_apart() {
        let (calls, series) = (LoneCalls::new(1 << 20), series("lone_cell"));
        for number in 0..400_u32 {
            offer(&calls, series, number, Outcome::Success, u64::from(number) / 20);
        }
        offer(&calls, series, 1_000, Outcome::Cancelled, 19);
        let kept = calls.of(series.number());
        let succeeded: Vec<_> = kept.iter().filter(|call| call.outcome == Outcome::Success).collect();
        assert_eq!(
            succeeded.iter().map(|call| call.id.number()).collect::<Vec<_>>(),
            (200..400).step_by(20).collect::<Vec<_>>()
        );
        assert_eq!(kept.len(), 11);
    }

    #[test]
    fn the_error_of_a_sample_is_kept_and_the_ceiling_holds() {
        let (calls, series) = (LoneCalls::new(64 << 10), series("lone_error"));
        let long = "x".repeat(100_000);
        for number in 1..1_000 {
            offer(&calls, series, number, Outcome::Error, u64::from(number));
            let id = CallId::followed(0, number);
            assert!(LoneCalls::wants_error(id));
            calls.fail(id, &long);
            assert!(!LoneCalls::wants_error(id));
            assert!(calls.bytes() <= 64 << 10);
        }
        let kept = calls.of(series.number());
        assert_eq!(kept.len(), EACH);
        assert!(
            kept.iter().all(|call| call.error.as_ref().is_some_and(|error| error.len() == MOST_ERROR_BYTES))
        );
    }
}
