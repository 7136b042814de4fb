//! Histograms over nanoseconds: exact counts and an exact integer sum.

use crate::cells::buckets::Buckets;
use crate::cells::fine::FineCells;
use crate::cells::reading::{FineCounts, Reading};
use crate::cells::stripes::{Cells, Stripe};

/// One series of a histogram: the sum, then a cell for each bucket.
///
/// The sum stands first, beside the buckets of short durations: counting one touches a single cache line.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: &'static Buckets,
    cells: Cells,
    /// What takes the place of the buckets' cells where native histograms are kept.
    fine: Option<Box<FineCells>>,
}

fn fine_cells(buckets: &'static Buckets, is_striped: bool) -> Option<Box<FineCells>> {
    buckets.layout().map(|layout| Box::new(FineCells::new(layout, is_striped)))
}

/// The first word is free for whoever keeps the histogram.
const SPARE: usize = 0;
pub(crate) const SUM: usize = 1;
pub(crate) const FIRST_BUCKET: usize = 2;

impl Histogram {
    /// Makes a histogram without observations.
    pub(crate) fn new(buckets: &'static Buckets) -> Self {
        Self { buckets, cells: Cells::new(buckets.cells()), fine: fine_cells(buckets, true) }
    }

    /// Makes a histogram of what happens seldom: it takes less memory, and threads that count there wait for each other.
    pub(crate) fn unstriped(buckets: &'static Buckets) -> Self {
        Self { buckets, cells: Cells::unstriped(buckets.cells()), fine: fine_cells(buckets, false) }
    }

    /// Counts one duration, wherever it is to be counted.
    pub(crate) fn record_fully(&self, stripe: Stripe, nanos: u64) {
        match &self.fine {
            None => self.record(stripe, nanos),
            Some(fine) => {
                self.cells.add(stripe, SUM, nanos);
                fine.add(stripe, nanos);
            }
        }
    }

    /// Counts one duration, where no native histogram is kept.
    #[inline]
    pub(crate) fn record(&self, stripe: Stripe, nanos: u64) {
        self.cells.add_two(stripe, (SUM, nanos), (FIRST_BUCKET + self.buckets.index(nanos), 1));
    }

    /// Adds to a counter beside the histogram, which is no part of it.
    #[inline]
    pub(crate) fn add_beside(&self, stripe: Stripe, amount: u64) {
        self.cells.add(stripe, SPARE, amount);
    }

    /// What [`add_beside`](Self::add_beside) added.
    pub(crate) fn beside(&self) -> u64 {
        self.cells.sum(SPARE)
    }

    /// Reads the cells into `words`, of which there are [`Buckets::words`], and appends those of a native histogram to `fine`;
    /// gives the number of observations.
    ///
    /// Every observation counted by one reading is counted by each later one.
    pub(crate) fn read_into(&self, words: &mut [u64], fine: &mut FineCounts) -> u64 {
        self.cells.sum_all(words);
        if let Some(cells) = &self.fine {
            cells.read_into(&mut words[FIRST_BUCKET..], fine);
        }
        let mut total = 0;
        for word in words.iter_mut().skip(FIRST_BUCKET) {
            total += *word;
            *word = total;
        }
        self.buckets.limit().put_last(&mut words[FIRST_BUCKET..=FIRST_BUCKET + self.buckets.bounds().len()]);
        total
    }

    /// See [`Cells::fetch`].
    pub(crate) fn fetch(&self) -> u64 {
        self.cells.fetch()
    }

    /// Shows what the histogram holds to `look`.
    pub(crate) fn read<T>(&self, look: impl FnOnce(Reading<'_>) -> T) -> T {
        let (mut words, mut fine) = (vec![0; self.buckets.words()], FineCounts::new());
        self.read_into(&mut words, &mut fine);
        look(Reading::new(self.buckets, &words, &fine))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cells::native::NativeHistograms;
    use crate::cells::objective::{Latency, Objective, Share};

    fn leaked(seconds: &[f64]) -> &'static Buckets {
        Box::leak(Box::new(Buckets::new(seconds).unwrap()))
    }

    #[test]
    fn a_duration_on_a_bound_belongs_to_that_bucket() {
        let histogram = Histogram::new(leaked(&[0.001, 0.01]));
        for nanos in [1_000_000, 1_000_001, 10_000_000, 10_000_001] {
            histogram.record(Stripe::of_this_thread(), nanos);
        }
        histogram.read(|reading| {
            assert_eq!(reading.cumulative(), [1, 3, 4]);
            assert_eq!(reading.sum_nanos(), 22_000_002);
            assert_eq!(reading.count(), 4);
        });
    }

    static OBJECTIVE: Objective = Objective {
        success: None,
        latency: Some(Latency {
            text: "5ms@95",
            nanos: 5_000_000,
            share: Share { percent: "95", ratio: 0.95 },
        }),
    };

    #[test]
    fn a_limit_between_two_bounds_is_told_apart_and_not_shown() {
        for native in [None, Some(NativeHistograms::new())] {
            let plain = Buckets::new(&[0.001, 0.01]).unwrap().with_native(native);
            let buckets: &'static Buckets = Box::leak(Box::new(plain.with_objective(&OBJECTIVE)));
            let histogram = Histogram::new(buckets);
            for nanos in [1_000_000, 1_000_001, 5_000_000, 5_000_001, 10_000_001] {
                histogram.record_fully(Stripe::of_this_thread(), nanos);
            }
            histogram.read(|reading| {
                assert_eq!(reading.cumulative(), [1, 4, 5]);
                assert_eq!((reading.count(), reading.over_the_limit()), (5, Some(2)));
            });
            assert_eq!([5_000_000, 5_000_001, 10_000_001].map(|nanos| buckets.shown(nanos)), [1, 1, 2]);
        }
    }
}
