//! The division of the recorder's memory.

use super::growing::Room;
use super::live;
use super::ring::Record;
use crate::cells::stripes;

/// Rings of threads that have no stripe of their own. A thread that finds one in use tries the next.
pub(super) const SHARED_RINGS: usize = 8;

/// The bytes and sizes of everything that is kept, which follow from the memory that is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryPlan {
    /// The ceiling, as set.
    pub(super) memory: usize,
    pub(super) rings: usize,
    pub(super) ring_length: usize,
    pub(super) live_runs: usize,
    /// For remarks between two looks.
    pub(super) remarks: usize,
    /// For log lines of runs between two looks.
    pub(super) lines: usize,
    /// For the tail of all log lines, once there is one.
    pub(super) tail: usize,
    /// At most, for samples of lone calls.
    pub(super) lone: usize,
    /// At most, for the history.
    pub(super) history: usize,
    /// For trees, and for the tail, the samples and the history.
    pub(super) trees: usize,
}

impl MemoryPlan {
    /// Divides the memory, if the state takes these bytes for each event of a look, and for each run that goes on.
    pub(super) fn new(memory: usize, event_bytes: usize, run_bytes: usize) -> Self {
        let rings = stripes::leased() + SHARED_RINGS;
        // Rings take at most an eighth. As many events may be read at once, and as many be early.
        let fitting = (memory / 8 / rings / size_of::<Record>()).clamp(64, 4_096);
        let ring_length = 1 << fitting.ilog2();
        let live_runs = 1 << (memory / 2_048).clamp(256, 8_192).ilog2();
        let remarks = (memory / 32).min(256 << 10);
        let lines = (memory / 32).min(256 << 10);
        let (tail, lone, history) = ((memory / 8).min(2 << 20), memory / 32, memory / 8);
        let records = rings * ring_length;
        let fixed = records * (size_of::<Record>() + event_bytes)
            + live_runs * (live::SLOT_BYTES + run_bytes)
            // Those queued, and those being read.
            + 2 * (remarks + lines);
        let trees = memory.saturating_sub(fixed);
        Self { memory, rings, ring_length, live_runs, remarks, lines, tail, lone, history, trees }
    }

    /// The plan if other things than trees take these bytes.
    pub(super) fn less(self, others: usize) -> Self {
        Self { trees: self.trees.saturating_sub(others), ..self }
    }

    /// The room that is left if the runs that go on take these bytes.
    pub(super) fn room(&self, growing: usize) -> Room {
        if growing < self.trees / 2 {
            Room::Enough
        } else if growing < self.trees / 4 * 3 {
            Room::Sums
        } else {
            Room::None
        }
    }
}
