//! What a histogram held at a moment.

use crate::cells::buckets::Buckets;
use crate::cells::exemplars::{Exemplar, Exemplars};
use crate::cells::histogram::{FIRST_BUCKET, SUM};
use crate::cells::native::NativeBuckets;
use crate::cells::objective::Limit;

/// What the cells of a native histogram held, those that held anything: number and count, ascending.
pub(crate) type FineCounts = Vec<(usize, u64)>;

/// What a histogram held when it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) buckets: &'static Buckets,
    /// As [`Histogram::read_into`] leaves them: each bucket's count holds those below it, and that of a hidden limit stands
    /// behind all that are shown.
    pub(crate) words: &'a [u64],
    fine: &'a [(usize, u64)],
    exemplars: Option<&'a Exemplars>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(buckets: &'static Buckets, words: &'a [u64], fine: &'a [(usize, u64)]) -> Self {
        Self { buckets, words, fine, exemplars: None }
    }

    /// The observations up to each bound, those of `+Inf` last.
    pub(crate) fn cumulative(&self) -> &'a [u64] {
        &self.words[FIRST_BUCKET..][..self.buckets.bounds().len()]
    }

    /// With the exemplars of the buckets.
    pub(crate) fn with_exemplars(self, exemplars: Option<&'a Exemplars>) -> Self {
        Self { exemplars, ..self }
    }

    /// Shows a bucket's exemplar to `look`, if there is one.
    pub(crate) fn exemplar(&self, bucket: usize, look: impl FnOnce(&Exemplar)) {
        if let Some(exemplars) = self.exemplars {
            exemplars.show(bucket, look);
        }
    }

    /// The native buckets of what the ordinary ones hold, if they are kept.
    pub(crate) fn native(&self) -> Option<NativeBuckets> {
        Some(self.buckets.layout()?.buckets(self.fine.iter().copied()))
    }

    /// The sum of all durations.
    pub(crate) fn sum_nanos(&self) -> u64 {
        self.words[SUM]
    }

    /// The number of observations.
    pub(crate) fn count(&self) -> u64 {
        self.cumulative().last().copied().unwrap_or(0)
    }

    /// The observations that took longer than the limit of the objective, if it has one.
    pub(crate) fn over_the_limit(&self) -> Option<u64> {
        let within = match self.buckets.limit() {
            Limit::None => return None,
            Limit::Shown(at) => at,
            Limit::Hidden(_) => self.buckets.bounds().len(),
        };
        Some(self.count() - self.words[FIRST_BUCKET + within])
    }
}
