//! The queue of records from calls to the recorder. Neither side waits for the other.
//!
//! ```text
//!            tail                     head
//!  ──────────┬───────────────────────┬──────────
//!    free    │  written, not read    │   free        positions only grow; the slot is `position % length`
//!  ──────────┴───────────────────────┴──────────
//!            ▲ moved by the reader   ▲ moved by the writer
//! ```
//!
//! A writer fills the slot at `head` and then moves `head` by a release, so a reader that sees the new `head` sees the
//! whole record. A reader moves `tail` after it has copied a record, so a writer never overwrites a record that is being
//! read. `tests/interleavings` runs this under loom.

use crate::cells::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Words of a record.
pub(crate) const WORDS: usize = 5;

pub(crate) type Record = [u64; WORDS];

/// Gives the writer and the reader a cache line each.
#[derive(Debug, Default)]
#[repr(align(64))]
struct OwnLine<T>(T);

/// A bounded queue of records with one writer and one reader at a time.
#[derive(Debug)]
pub(crate) struct Ring {
    slots: Box<[[AtomicU64; WORDS]]>,
    head: OwnLine<AtomicUsize>,
    tail: OwnLine<AtomicUsize>,
    /// Records that found no room. The newest are lost, so the tree of those before them has all parents.
    lost: AtomicU64,
    /// Whether one of several writers is writing.
    is_taken: AtomicBool,
}

/// The state of a ring after a record was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// There is room for more.
    Calm,
    /// A quarter of the ring has just been filled: it is time to read.
    Filling,
    /// There was no room. The record is lost, and counted.
    Lost,
}

impl Ring {
    /// Makes an empty ring for `length` records, a power of two.
    pub(crate) fn new(length: usize) -> Self {
        debug_assert!(length.is_power_of_two());
        Self {
            slots: (0..length).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect(),
            head: OwnLine(AtomicUsize::new(0)),
            tail: OwnLine(AtomicUsize::new(0)),
            lost: AtomicU64::new(0),
            is_taken: AtomicBool::new(false),
        }
    }

    /// Pushes a record of the ring's only writer.
    #[inline]
    pub(crate) fn push(&self, record: &Record) -> Pushed {
        let head = self.head.0.load(Ordering::Relaxed);
        let filled = head.wrapping_sub(self.tail.0.load(Ordering::Acquire));
        let Some(slot) = self.slots.get(head & (self.slots.len() - 1)).filter(|_| filled < self.slots.len())
        else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Pushed::Lost;
        };
        for (cell, word) in slot.iter().zip(record) {
            cell.store(*word, Ordering::Relaxed);
        }
        self.head.0.store(head.wrapping_add(1), Ordering::Release);
        if filled + 1 == self.slots.len() / 4 { Pushed::Filling } else { Pushed::Calm }
    }

    /// Pushes a record of one among several writers. `None` if another is writing.
    pub(crate) fn try_push(&self, record: &Record) -> Option<Pushed> {
        if self.is_taken.swap(true, Ordering::Acquire) {
            return None;
        }
        let pushed = self.push(record);
        self.is_taken.store(false, Ordering::Release);
        Some(pushed)
    }

    /// Takes every record that was pushed before the call. Only one thread reads at a time.
    pub(crate) fn drain(&self, mut take: impl FnMut(Record)) {
        let head = self.head.0.load(Ordering::Acquire);
        let mut tail = self.tail.0.load(Ordering::Relaxed);
        while tail != head {
            if let Some(slot) = self.slots.get(tail & (self.slots.len() - 1)) {
                take(std::array::from_fn(|word| slot[word].load(Ordering::Relaxed)));
            }
            tail = tail.wrapping_add(1);
            self.tail.0.store(tail, Ordering::Release);
        }
    }

    /// The number of records that [`push`](Self::push) found no room for.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn drained(ring: &Ring) -> Vec<u64> {
        let mut seen = Vec::new();
        ring.drain(|record| {
            assert!(record.iter().all(|word| *word == record[0]), "a record was torn: {record:?}");
            seen.push(record[0]);
        });
        seen
    }

    #[test]
    fn a_full_ring_loses_the_newest_and_counts_them() {
        let ring = Ring::new(8);
        let pushed: Vec<_> = (0..10).map(|word| ring.push(&[word; WORDS])).collect();
        assert_eq!(pushed[..3], [Pushed::Calm, Pushed::Filling, Pushed::Calm]);
        assert_eq!(pushed[8..], [Pushed::Lost; 2]);
        assert_eq!(ring.lost(), 2);
        assert_eq!(drained(&ring), (0..8).collect::<Vec<_>>());
        assert_eq!(ring.push(&[11; WORDS]), Pushed::Calm);
        assert_eq!(drained(&ring), [11]);
    }

    #[test]
    fn what_is_pushed_is_drained_once_and_in_order() {
        const COUNT: u64 = 200_000;
        let ring = Ring::new(64);
        let mut seen = Vec::new();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for word in 0..COUNT {
                    ring.push(&[word; WORDS]);
                }
            });
            while !writer.is_finished() {
                seen.extend(drained(&ring));
            }
        });
        seen.extend(drained(&ring));
        assert!(seen.is_sorted_by(|a, b| a < b));
        assert_eq!(seen.len() as u64 + ring.lost(), COUNT);
    }

    #[test]
    fn writers_that_share_a_ring_lose_no_record_uncounted() {
        const EACH: u64 = 50_000;
        let ring = Ring::new(1_024);
        let [mut seen, mut refused] = [0; 2];
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| (0..EACH).filter(|word| ring.try_push(&[*word; WORDS]).is_none()).count())
                })
                .collect();
            while writers.iter().any(|writer| !writer.is_finished()) {
                seen += drained(&ring).len() as u64;
            }
            refused += writers.into_iter().map(|writer| writer.join().unwrap() as u64).sum::<u64>();
        });
        seen += drained(&ring).len() as u64;
        assert_eq!(seen + refused + ring.lost(), 4 * EACH);
    }
}
