//! Histograms over nanoseconds, with exact counts and an exact integer sum, and their snapshots.
//!
//! The cells of a histogram, in words of 8 bytes:
//!
//! ```text
//!         0        1     2         3         …  7      │  8         …  2 + bounds
//!         started  sum   bucket 0  bucket 1  …         │  bucket 6  …  +Inf
//!         └─────────── first cache line ───────────────┘
//! ```
//!
//! The first six buckets share a cache line with the starts and the sum, so counting a short duration touches one line.
//! Cells count each bucket alone; a snapshot makes the counts cumulative. An objective's hidden limit is one more
//! bucket in its sorted place, and a snapshot moves its count behind `+Inf`:
//!
//! ```text
//! cells     started  sum  ≤1ms  ≤5ms (hidden)  ≤10ms  +Inf
//! snapshot  started  sum  ≤1ms  ≤10ms          +Inf   ≤5ms
//! ```
//!
//! If native histograms are kept, [`NativeCells`] take the place of the buckets' cells, which stay 0.

use crate::cells::buckets::{Buckets, FIRST_BUCKET};
use crate::cells::exemplars::{Exemplar, Exemplars};
use crate::cells::native::{NativeBuckets, NativeCells, NativeCounts};
use crate::cells::objective::Limit;
use crate::cells::stripes::{Cells, Stripe};

/// One series of a histogram. The module documentation shows the layout of its cells.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: &'static Buckets,
    cells: Cells,
    /// Counts instead of the buckets' cells if native histograms are kept.
    native: Option<Box<NativeCells>>,
}

fn native_cells(buckets: &'static Buckets, is_striped: bool) -> Option<Box<NativeCells>> {
    buckets.layout().map(|layout| Box::new(NativeCells::new(layout, is_striped)))
}

/// The word of the calls started. It is not part of the histogram, but shares its cache line.
const STARTED: usize = 0;
const SUM: usize = 1;

impl Histogram {
    /// Makes a histogram without observations.
    pub(crate) fn new(buckets: &'static Buckets) -> Self {
        Self { buckets, cells: Cells::new(buckets.cells()), native: native_cells(buckets, true) }
    }

    /// Makes a histogram for rare events: one stripe instead of one for each thread, so it takes less memory, and
    /// threads contend for it.
    pub(crate) fn unstriped(buckets: &'static Buckets) -> Self {
        Self { buckets, cells: Cells::unstriped(buckets.cells()), native: native_cells(buckets, false) }
    }

    pub(crate) fn buckets(&self) -> &'static Buckets {
        self.buckets
    }

    /// Counts one duration, with or without native histograms.
    pub(crate) fn record_fully(&self, stripe: Stripe, nanos: u64) {
        match &self.native {
            None => self.record(stripe, nanos),
            Some(fine) => {
                self.cells.add(stripe, SUM, nanos);
                fine.add(stripe, nanos);
            }
        }
    }

    /// Counts one duration. The histogram must not keep native histograms.
    #[inline]
    pub(crate) fn record(&self, stripe: Stripe, nanos: u64) {
        self.cells.add_two(stripe, (SUM, nanos), (FIRST_BUCKET + self.buckets.index(nanos), 1));
    }

    /// Adds to the calls started.
    #[inline]
    pub(crate) fn add_started(&self, stripe: Stripe, amount: u64) {
        self.cells.add(stripe, STARTED, amount);
    }

    /// The calls started.
    pub(crate) fn started(&self) -> u64 {
        self.cells.sum(STARTED)
    }

    /// Reads the cells into `words`, at least [`Buckets::words`] zeros, and appends those of the native histogram to
    /// `fine`. Returns the number of observations.
    ///
    /// Cells only grow, so a later reading includes every observation of an earlier one.
    pub(crate) fn read_into(&self, words: &mut [u64], fine: &mut NativeCounts) -> u64 {
        self.cells.sum_all(words);
        if let Some(cells) = &self.native {
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

    /// Takes a snapshot and passes it to `look`.
    pub(crate) fn read<T>(&self, look: impl FnOnce(HistogramSnapshot<'_>) -> T) -> T {
        let (mut words, mut fine) = (vec![0; self.buckets.words()], NativeCounts::new());
        self.read_into(&mut words, &mut fine);
        look(HistogramSnapshot::new(self.buckets, &words, &fine))
    }
}

/// A histogram's numbers at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistogramSnapshot<'a> {
    pub(crate) buckets: &'static Buckets,
    /// As [`Histogram::read_into`] leaves them: cumulative counts, with the count of a hidden limit last.
    pub(crate) words: &'a [u64],
    fine: &'a [(usize, u64)],
    exemplars: Option<&'a Exemplars>,
}

impl<'a> HistogramSnapshot<'a> {
    pub(crate) fn new(buckets: &'static Buckets, words: &'a [u64], fine: &'a [(usize, u64)]) -> Self {
        Self { buckets, words, fine, exemplars: None }
    }

    /// The number of observations up to each bound, `+Inf` last.
    pub(crate) fn cumulative(&self) -> &'a [u64] {
        &self.words[FIRST_BUCKET..][..self.buckets.bounds().len()]
    }

    /// Adds the exemplars of the buckets.
    pub(crate) fn with_exemplars(self, exemplars: Option<&'a Exemplars>) -> Self {
        Self { exemplars, ..self }
    }

    /// Passes a bucket's exemplar to `look`, if there is one.
    pub(crate) fn exemplar(&self, bucket: usize, look: impl FnOnce(&Exemplar)) {
        if let Some(exemplars) = self.exemplars {
            exemplars.show(bucket, look);
        }
    }

    /// The native buckets, if the family keeps them; they count the same observations.
    pub(crate) fn native(&self) -> Option<NativeBuckets> {
        Some(self.buckets.layout()?.buckets(self.fine.iter().copied()))
    }

    /// The sum of all durations, in nanoseconds.
    pub(crate) fn sum_nanos(&self) -> u64 {
        self.words[SUM]
    }

    /// The number of observations.
    pub(crate) fn count(&self) -> u64 {
        self.cumulative().last().copied().unwrap_or(0)
    }

    /// The number of observations above the objective's latency limit, if there is one.
    pub(crate) fn over_the_limit(&self) -> Option<u64> {
        let within = match self.buckets.limit() {
            Limit::None => return None,
            Limit::MetricSnapshot(at) => at,
            Limit::Hidden(_) => self.buckets.bounds().len(),
        };
        Some(self.count() - self.words[FIRST_BUCKET + within])
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cells::native::NativeHistograms;
    use crate::cells::objective::{Latency, Objective, Share};

    fn leaked(seconds: &[f64]) -> &'static Buckets {
        Box::leak(Box::new(Buckets::new(seconds)))
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
            let plain = Buckets::new(&[0.001, 0.01]).with_native(native);
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
