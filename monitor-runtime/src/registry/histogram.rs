//! Histograms over nanoseconds: exact counts and an exact integer sum.

use super::reading::Reading;
use super::shard::{Cells, Stripe};

/// Upper bounds of a family's buckets.
#[derive(Debug)]
pub(crate) struct Buckets {
    seconds: Box<[f64]>,
    nanos: Box<[u64]>,
    /// One a bucket, `+Inf` last.
    bounds: Box<[Bound]>,
    /// The same as OpenMetrics has them.
    #[cfg(feature = "health")]
    canonical_bounds: Box<[String]>,
}

/// What stands before a bucket's count: `le="0.005"} `.
#[derive(Debug)]
pub(crate) struct Bound {
    text: Box<str>,
    /// The text, if it is short enough, and spaces behind it.
    padded: [u8; PADDED],
}

const PADDED: usize = 16;

impl Bound {
    fn new(bound: &str) -> Self {
        let text = format!("le=\"{bound}\"}} ");
        let mut padded = [b' '; PADDED];
        for (place, byte) in padded.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        Self { text: text.into(), padded }
    }

    /// Appends the text. Copying a length that is known when this is compiled, and taking the rest back, costs less than
    /// copying one that is not.
    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        if self.text.len() <= PADDED {
            let end = out.len() + self.text.len();
            out.extend_from_slice(&self.padded);
            out.truncate(end);
        } else {
            out.extend_from_slice(self.text.as_bytes());
        }
    }
}

/// Why a list of bucket bounds was refused.
#[cfg(feature = "health")]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// No bound was given.
    #[error("no bucket bounds were given; expected at least one upper bound in seconds, such as [0.1, 1.0]")]
    Empty,
    /// A bound is NaN, infinite, zero or negative, or too large to count in nanoseconds.
    #[error(
        "bucket bound {bound} is not a usable number of seconds; expected finite bounds above 0 and below 1e9 (the +Inf bucket is added by itself)"
    )]
    OutOfRange {
        /// The bound as it was given.
        bound: f64,
    },
    /// A bound is not above the one before it.
    #[error("bucket bound {bound} follows {previous}; expected bounds in strictly ascending order")]
    Unsorted {
        /// The bound that came first.
        previous: f64,
        /// The bound that should be larger.
        bound: f64,
    },
    /// The family already has series with other bounds.
    #[error(
        "the process already records with bucket bounds {current:?}, so {given:?} cannot take effect; set buckets once, before the first tracked call or request"
    )]
    InUse {
        /// The bounds in use.
        current: Vec<f64>,
        /// The bounds that were asked for.
        given: Vec<f64>,
    },
}

impl Buckets {
    /// Checks the bounds, which are in seconds.
    #[cfg(feature = "health")]
    pub(crate) fn new(seconds: &[f64]) -> Result<Self, BucketError> {
        check(seconds)?;
        Ok(Self::of_defaults(seconds))
    }

    /// Takes bounds that are known to be finite, positive and ascending.
    pub(crate) fn of_defaults(seconds: &[f64]) -> Self {
        let bounds = seconds.iter().map(|bound| Bound::new(&bound.to_string()));
        Self {
            seconds: seconds.into(),
            nanos: seconds.iter().map(|&bound| to_nanos(bound)).collect(),
            bounds: bounds.chain([Bound::new("+Inf")]).collect(),
            #[cfg(feature = "health")]
            canonical_bounds: canonical_bounds(seconds),
        }
    }

    /// The bounds in seconds, without `+Inf`.
    pub(crate) fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// How many words a reading takes.
    pub(crate) fn words(&self) -> usize {
        Cells::room_for(FIRST_BUCKET + self.nanos.len() + 1)
    }

    pub(crate) fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    /// What stands before a bucket's count in OpenMetrics, `+Inf` last.
    #[cfg(feature = "health")]
    pub(crate) fn canonical_bounds(&self) -> &[String] {
        &self.canonical_bounds
    }

    /// The bucket a duration belongs to: the first whose bound is not below it.
    #[inline]
    pub(crate) fn index(&self, nanos: u64) -> usize {
        self.nanos.iter().position(|&bound| nanos <= bound).unwrap_or(self.nanos.len())
    }
}

#[cfg(feature = "health")]
fn canonical_bounds(seconds: &[f64]) -> Box<[String]> {
    let bounds = seconds.iter().copied().chain([f64::INFINITY]);
    bounds.map(|bound| format!("le=\"{}\"}} ", super::open_metrics::canonical(bound))).collect()
}

#[cfg(feature = "health")]
fn check(seconds: &[f64]) -> Result<(), BucketError> {
    if seconds.is_empty() {
        return Err(BucketError::Empty);
    }
    if let Some(&bound) = seconds.iter().find(|bound| !(**bound > 0.0 && **bound < 1e9)) {
        return Err(BucketError::OutOfRange { bound });
    }
    match seconds.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(BucketError::Unsorted { previous: pair[0], bound: pair[1] }),
        None => Ok(()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie within 0 and 1e9 seconds"
)]
fn to_nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

/// One series of a histogram: the sum, then a cell for each bucket.
///
/// The sum stands first, beside the buckets of short durations: counting one touches a single cache line.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: &'static Buckets,
    cells: Cells,
}

/// The first word is free for whoever keeps the histogram.
const SPARE: usize = 0;
pub(super) const SUM: usize = 1;
pub(super) const FIRST_BUCKET: usize = 2;

impl Histogram {
    /// Makes a histogram without observations.
    pub(crate) fn new(buckets: &'static Buckets) -> Self {
        Self { buckets, cells: Cells::new(FIRST_BUCKET + buckets.nanos.len() + 1) }
    }

    /// Makes a histogram of what happens seldom: it takes less memory, and threads that count there wait for each other.
    pub(crate) fn unstriped(buckets: &'static Buckets) -> Self {
        Self { buckets, cells: Cells::unstriped(FIRST_BUCKET + buckets.nanos.len() + 1) }
    }

    /// Counts one duration.
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

    /// Reads the cells into `words`, of which there are [`Buckets::words`]; gives the number of observations.
    ///
    /// Every observation counted by one reading is counted by each later one.
    pub(crate) fn read_into(&self, words: &mut [u64]) -> u64 {
        self.cells.sum_all(words);
        let mut total = 0;
        for word in words.iter_mut().skip(FIRST_BUCKET) {
            total += *word;
            *word = total;
        }
        total
    }

    /// See [`Cells::fetch`].
    pub(crate) fn fetch(&self) -> u64 {
        self.cells.fetch()
    }

    /// Shows what the histogram holds to `look`.
    pub(crate) fn read<T>(&self, look: impl FnOnce(Reading<'_>) -> T) -> T {
        let mut words = vec![0; self.buckets.words()];
        self.read_into(&mut words);
        look(Reading::new(self.buckets, &words))
    }
}

#[cfg(all(test, feature = "health"))]
mod tests {
    use super::*;

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

    #[test]
    fn bounds_that_cannot_make_a_histogram_are_refused() {
        assert_eq!(Buckets::new(&[]).unwrap_err(), BucketError::Empty);
        for bound in [0.0, -1.0, f64::INFINITY, 1e9] {
            assert_eq!(Buckets::new(&[bound]).unwrap_err(), BucketError::OutOfRange { bound });
        }
        assert!(matches!(Buckets::new(&[f64::NAN]), Err(BucketError::OutOfRange { .. })));
        assert_eq!(
            Buckets::new(&[1.0, 1.0]).unwrap_err(),
            BucketError::Unsorted { previous: 1.0, bound: 1.0 }
        );
    }
}
