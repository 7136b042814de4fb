//! A hash index that finds a series by its label values without a lock.
//!
//! ```text
//! newest = 1
//!
//! tables[0]   64 slots    its 32 series; no longer read or written
//! tables[1]  128 slots    every series, at most 64
//! tables[2]  not yet      made for the 65th series: 256 slots
//!
//! slot = (hash, &'static Series)    set once; an empty slot ends a search (linear probing)
//! ```
//!
//! Invariants: slots are never emptied or overwritten; a table is complete before `newest` names it; one thread inserts
//! at a time (the family's lock). A reader thus needs one `Acquire` load and one table. A search may miss a series that
//! is being inserted; the caller then looks again under the family's lock.

use std::hash::BuildHasher as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use crate::cells::buckets::Buckets;
use crate::cells::labels::Labels;

/// The numbers that a family keeps for one label set.
pub(crate) trait Series: Send + Sync + 'static {
    /// Makes a series in which nothing is counted yet.
    fn new(labels: Labels, buckets: &'static Buckets) -> Self;
    /// Its label values.
    fn labels(&self) -> &Labels;
}

/// The length of the first table; each later one is twice as long as the one before.
const FIRST: usize = 64;
/// The maximum number of tables; the last would not fit into memory.
const TABLES: usize = 32;

/// The series of a family by the hash of their label values.
///
/// Series are only ever added. An insertion that would fill a table by more than half copies all series into a table of
/// twice the length, and publishes that table afterwards.
pub(crate) struct Index<S: 'static> {
    hasher: OnceLock<RandomState>,
    tables: [OnceLock<Box<[Slot<S>]>>; TABLES],
    newest: AtomicUsize,
}

/// Set once; an empty slot ends a search.
type Slot<S> = OnceLock<(u64, &'static S)>;

impl<S: Series> Index<S> {
    pub(crate) const fn new() -> Self {
        Self {
            hasher: OnceLock::new(),
            tables: [const { OnceLock::new() }; TABLES],
            newest: AtomicUsize::new(0),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, values: &[&str]) -> u64 {
        let hasher = self.hasher.get_or_init(RandomState::default);
        match values {
            [value] => hasher.hash_one(value),
            _ => hasher.hash_one(values),
        }
    }

    /// Finds the series with these label values, whose hash is `hash`.
    #[inline]
    pub(crate) fn find(&self, hash: u64, values: &[&str]) -> Option<&'static S> {
        let table = self.tables[self.newest.load(Ordering::Acquire)].get()?;
        let mut at = place(hash, table.len());
        // At least half of the slots are empty, so the search ends.
        while let Some((found, series)) = table[at].get() {
            if *found == hash && series.labels().are(values) {
                return Some(series);
            }
            at = (at + 1) & (table.len() - 1);
        }
        None
    }

    /// Adds the `count`th series, which must not be in the index yet. Only one thread may insert at a time.
    pub(crate) fn insert(&self, hash: u64, series: &'static S, count: usize) {
        let newest = self.newest.load(Ordering::Relaxed);
        let table = self.tables[newest].get_or_init(|| empty(newest));
        if count * 2 <= table.len() {
            put(table, hash, series);
            return;
        }
        let larger = self.tables[newest + 1].get_or_init(|| empty(newest + 1));
        for &(hash, series) in table.iter().filter_map(OnceLock::get) {
            put(larger, hash, series);
        }
        put(larger, hash, series);
        self.newest.store(newest + 1, Ordering::Release);
    }
}

fn empty<S>(table: usize) -> Box<[Slot<S>]> {
    (0..FIRST << table).map(|_| OnceLock::new()).collect()
}

/// The slot at which the search for a hash begins. The length of a table is a power of two.
#[expect(clippy::cast_possible_truncation, reason = "only the low bits are used")]
#[inline]
fn place(hash: u64, length: usize) -> usize {
    hash as usize & (length - 1)
}

/// Puts a series into the first free slot at or after its place.
fn put<S>(table: &[Slot<S>], hash: u64, series: &'static S) {
    let mut at = place(hash, table.len());
    while table[at].set((hash, series)).is_err() {
        at = (at + 1) & (table.len() - 1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cells::buckets::Buckets;
    use crate::cells::labels::Labels;

    struct Numbered(Labels);

    impl Series for Numbered {
        fn new(labels: Labels, _: &'static Buckets) -> Self {
            Self(labels)
        }

        fn labels(&self) -> &Labels {
            &self.0
        }
    }

    fn series(value: &str) -> &'static Numbered {
        Box::leak(Box::new(Numbered(Labels::new(&["id"], &[value]))))
    }

    #[test]
    fn every_series_is_found_while_others_are_added() {
        let index = Index::<Numbered>::new();
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for count in 1..=5_000 {
                    let id = count.to_string();
                    index.insert(index.hash(&[&id]), series(&id), count);
                    done.store(count, Ordering::Release);
                }
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    while done.load(Ordering::Acquire) < 5_000 {
                        let known = done.load(Ordering::Acquire);
                        for id in [1, known / 2, known].map(|number| number.max(1).to_string()) {
                            let found = index.find(index.hash(&[&id]), &[&id]);
                            assert!(found.is_some_and(|series| series.0.are(&[&id])) || known == 0, "{id}");
                        }
                    }
                });
            }
        });
        assert!(index.find(index.hash(&["5001"]), &["5001"]).is_none());
    }

    #[test]
    fn values_of_one_hash_are_told_apart() {
        let index = Index::<Numbered>::new();
        for (id, count) in [("a", 1), ("b", 2), ("c", 3)] {
            index.insert(7, series(id), count);
        }
        for id in ["a", "b", "c"] {
            assert!(index.find(7, &[id]).unwrap().0.are(&[id]));
        }
        assert!(index.find(7, &["d"]).is_none());
    }
}
