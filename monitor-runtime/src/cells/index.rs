//! Finding a series by its label values without a lock.

use std::hash::BuildHasher as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use crate::cells::buckets::Buckets;
use crate::cells::labels::Labels;

/// What a family holds for one label set.
pub(crate) trait Series: Send + Sync + 'static {
    /// Makes the series with nothing counted.
    fn new(labels: Labels, buckets: &'static Buckets) -> Self;
    /// Its label values.
    fn labels(&self) -> &Labels;
}

/// Capacity of the first table; each further one has twice that of the one before.
const FIRST: usize = 64;
/// More tables than memory has room for.
const TABLES: usize = 32;

/// The series of a family by the hash of their label values.
///
/// Series are only ever added. A table that is half full is followed by a larger one, which holds every series before
/// anybody looks there: a reader needs the newest table alone, and never waits.
pub(crate) struct Index<S: 'static> {
    hasher: OnceLock<RandomState>,
    tables: [OnceLock<Box<[Slot<S>]>>; TABLES],
    newest: AtomicUsize,
}

/// Written once; an empty one ends a search.
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

    /// Finds the series of these values, whose hash is given.
    #[inline]
    pub(crate) fn find(&self, hash: u64, values: &[&str]) -> Option<&'static S> {
        let table = self.tables[self.newest.load(Ordering::Acquire)].get()?;
        let mut at = place(hash, table.len());
        // Half the slots are empty, so the search ends.
        while let Some((found, series)) = table[at].get() {
            if *found == hash && series.labels().are(values) {
                return Some(series);
            }
            at = (at + 1) & (table.len() - 1);
        }
        None
    }

    /// Adds a series that is not there, as the `count`th; by one thread at a time.
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

/// Where the search for a hash begins in a table, whose length is a power of two.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are all that is wanted")]
#[inline]
fn place(hash: u64, length: usize) -> usize {
    hash as usize & (length - 1)
}

/// Puts a series into the first free slot from its place on.
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
