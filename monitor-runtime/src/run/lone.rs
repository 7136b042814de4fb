//! Samples of lone calls: those outside of any run, of which nothing else is kept.
//!
//! Each id keeps ten samples for each decade of the durations that succeeded, ten of failures and ten of cancelled calls,
//! which ended at least a second apart. A call that is no sample costs a
//! look at the clock, a load and a comparison. If the memory of all samples is full, the oldest of the id with the most
//! samples gives way, so a new sample is never refused.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use super::text::error_text;
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
    /// Samples that gave way since the memory was full.
    evicted: u64,
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

    /// The bytes that samples may take.
    fn room(&self) -> usize {
        self.most_bytes.saturating_sub(self.fixed())
    }

    /// The number of samples.
    pub(super) fn count(&self) -> usize {
        self.lock().ids.values().map(samples).sum()
    }

    /// The number of samples that gave way since the memory was full.
    pub(super) fn evicted(&self) -> u64 {
        self.lock().evicted
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
        let sample = LoneCall { id, started, duration, outcome, error: None };
        let is_kept = self.lock().add(number, cell, sample, self.room());
        if is_kept && outcome == Outcome::Error {
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
        let error = error_text(error);
        let mut kept = self.lock();
        kept.make_room(error.len(), self.room());
        let Kept { ids, bytes, .. } = &mut *kept;
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

impl Kept {
    /// Adds a sample. Returns `false` if the room is too small for a single one.
    fn add(&mut self, number: u32, cell: usize, sample: LoneCall, room: usize) -> bool {
        // First what the sample pushes out anyway, so that a full memory holds up no full cell.
        if let Some(calls) = self.ids.get_mut(&number).map(|cells| &mut cells[cell]) {
            if calls.len() >= EACH {
                self.bytes -= calls.pop_front().map_or(0, |call| bytes_of(&call));
            }
        }
        let bytes =
            |kept: &Self| bytes_of(&sample) + if kept.ids.contains_key(&number) { 0 } else { ID_BYTES };
        self.make_room(bytes(self), room);
        // The id itself may have given way.
        let bytes = bytes(self);
        if self.bytes + bytes > room {
            return false;
        }
        self.bytes += bytes;
        self.ids.entry(number).or_default()[cell].push_back(sample);
        true
    }

    /// Evicts samples until these bytes fit, or none is left: each time the oldest of the id with the most.
    fn make_room(&mut self, bytes: usize, room: usize) {
        while self.bytes + bytes > room {
            let largest = self.ids.iter_mut().max_by_key(|(_, cells)| samples(cells));
            let Some((number, cells)) = largest else { return };
            let number = *number;
            let fronts = cells.iter_mut().filter(|calls| !calls.is_empty());
            let oldest = fronts.min_by_key(|calls| calls.front().map(|call| call.started));
            if let Some(call) = oldest.and_then(VecDeque::pop_front) {
                self.bytes -= bytes_of(&call);
                self.evicted += 1;
            }
            if cells.iter().all(VecDeque::is_empty) {
                self.ids.remove(&number);
                self.bytes -= ID_BYTES;
            }
        }
    }
}

/// The number of samples of an id.
fn samples(cells: &[VecDeque<LoneCall>; CELLS]) -> usize {
    cells.iter().map(VecDeque::len).sum()
}

fn bytes_of(call: &LoneCall) -> usize {
    SAMPLE_BYTES + call.error.as_ref().map_or(0, |error| error.len())
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
    use crate::run::text::MOST_ERROR_BYTES;

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
    fn a_full_memory_takes_newer_samples() {
        let room = ID_BYTES + 25 * SAMPLE_BYTES;
        let calls = LoneCalls::new(PLACES * CELLS * size_of::<AtomicU32>() + room);
        let (first, second) = (series("lone_full"), series("lone_late"));
        for number in 0..30_u32 {
            offer(&calls, first, number, Outcome::Success, u64::from(number));
            offer(&calls, first, number + 100, Outcome::Cancelled, u64::from(number));
        }
        let numbers = |series: &'static CallSeries, outcome| -> Vec<_> {
            let kept = calls.of(series.number()).into_iter().filter(|call| call.outcome == outcome);
            kept.map(|call| call.id.number()).collect()
        };
        assert_eq!(numbers(first, Outcome::Success), (20..30).collect::<Vec<_>>());
        assert_eq!(numbers(first, Outcome::Cancelled), (120..130).collect::<Vec<_>>());
        assert_eq!(calls.evicted(), 0, "a full cell pushes out its own");
        for number in 200..202 {
            offer(&calls, second, number, Outcome::Success, u64::from(number));
        }
        assert_eq!(numbers(second, Outcome::Success), [200, 201]);
        assert_eq!(calls.evicted() + u64::try_from(calls.count()).unwrap(), 22);
        assert!(calls.evicted() > 0 && calls.bytes() <= PLACES * CELLS * size_of::<AtomicU32>() + room);
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
