//! The bucket bounds of a family.

use crate::cells::native::{Layout, NativeHistograms};
use crate::cells::objective::{Limit, Objective};
use crate::cells::stripes::Cells;
use crate::error_chain::debug_as_text;

/// The word of the lowest bucket. The words before it hold the histogram's starts and its sum.
pub(crate) const FIRST_BUCKET: usize = 2;

/// The upper bounds of a family's buckets.
///
/// `nanos` has one bound more than `seconds` if the objective's limit is hidden (see [`Limit::Hidden`]): cells are
/// indexed by `nanos`, and everything that a scrape shows by `seconds`.
#[derive(Debug)]
pub(crate) struct Buckets {
    seconds: Box<[f64]>,
    nanos: Box<[u64]>,
    /// The text before the count of each bucket that scrapes show, such as `le="0.005"} `; `+Inf` last.
    bounds: Box<[String]>,
    /// The same for OpenMetrics.
    canonical_bounds: Box<[String]>,
    /// Set if the family also keeps native histograms.
    layout: Option<Layout>,
    objective: Option<&'static Objective>,
    limit: Limit,
}

/// Why a list of bucket bounds was refused.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// The list is empty.
    #[error("no bucket bounds were given; expected at least one upper bound in seconds, such as [0.1, 1.0]")]
    Empty,
    /// A bound is NaN, infinite, zero, negative, or at least 1e9 seconds.
    #[error(
        "bucket bound {bound} is not a usable number of seconds; expected finite bounds above 0 and below 1e9 (the +Inf bucket is added automatically)"
    )]
    OutOfRange {
        /// The refused bound, in seconds.
        bound: f64,
    },
    /// A bound is not larger than the one before it.
    #[error("bucket bound {bound} follows {previous}; expected bounds in strictly ascending order")]
    Unsorted {
        /// The earlier bound, in seconds.
        previous: f64,
        /// The bound after it, which has to be larger.
        bound: f64,
    },
}

debug_as_text!(BucketError);

impl Buckets {
    /// Takes bounds in seconds that [`check`] has passed.
    pub(crate) fn new(seconds: &[f64]) -> Self {
        let bounds = seconds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        Self {
            seconds: seconds.into(),
            nanos: seconds.iter().map(|&bound| to_nanos(bound)).collect(),
            bounds: bounds.map(|bound| format!("le=\"{bound}\"}} ")).collect(),
            canonical_bounds: canonical_bounds(seconds),
            layout: None,
            objective: None,
            limit: Limit::None,
        }
    }

    /// Adds native histograms to these bounds.
    pub(crate) fn with_native(self, settings: Option<NativeHistograms>) -> Self {
        Self { layout: settings.map(|settings| Layout::new(settings, &self.nanos)), ..self }
    }

    /// Copies these bounds for calls with an objective, whose limit becomes a bound too.
    pub(crate) fn with_objective(&self, objective: &'static Objective) -> Self {
        let mut nanos = self.nanos.to_vec();
        let limit = objective.latency.map_or(Limit::None, |latency| Limit::among(&mut nanos, latency.nanos));
        let (nanos, objective) = (nanos.into(), Some(objective));
        let made = Self { nanos, objective, limit, ..Self::new(&self.seconds) };
        made.with_native(self.layout().map(|layout| layout.settings))
    }

    pub(crate) fn limit(&self) -> Limit {
        self.limit
    }

    pub(crate) fn objective(&self) -> Option<&'static Objective> {
        self.objective
    }

    /// The layout of the native histograms, if the family keeps them.
    pub(crate) fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// The bounds in seconds, without `+Inf`.
    pub(crate) fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// The number of cells of a histogram, the hidden bound included.
    pub(crate) fn cells(&self) -> usize {
        FIRST_BUCKET + self.nanos.len() + 1
    }

    /// The number of words of a snapshot. It is the same with and without a hidden bound, so one buffer fits all series
    /// of a family.
    pub(crate) fn words(&self) -> usize {
        Cells::room_for(FIRST_BUCKET + self.bounds.len() + 1)
    }

    /// The index of the bucket that shows this duration in a scrape.
    pub(crate) fn shown(&self, nanos: u64) -> usize {
        let index = self.index(nanos);
        index - usize::from(self.limit.is_hidden_below(index))
    }

    /// Returns the text before the count of each bucket that scrapes show, `+Inf` last.
    pub(crate) fn bounds(&self) -> &[String] {
        &self.bounds
    }

    /// The text before each bucket's count in OpenMetrics, `+Inf` last.
    pub(crate) fn canonical_bounds(&self) -> &[String] {
        &self.canonical_bounds
    }

    /// The index of the bucket that counts this duration: the first with a bound at or above it.
    #[inline]
    pub(crate) fn index(&self, nanos: u64) -> usize {
        self.nanos.iter().position(|&bound| nanos <= bound).unwrap_or(self.nanos.len())
    }
}

fn canonical_bounds(seconds: &[f64]) -> Box<[String]> {
    let bounds = seconds.iter().copied().chain([f64::INFINITY]);
    bounds.map(|bound| format!("le=\"{}\"}} ", crate::cells::number::canonical(bound))).collect()
}

/// Refuses bounds, which are in seconds, that make no histogram.
pub(crate) fn check(seconds: &[f64]) -> Result<(), BucketError> {
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
    reason = "`check` allows only bounds between 0 and 1e9 seconds"
)]
fn to_nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_cannot_make_a_histogram_are_refused() {
        assert_eq!(check(&[]).unwrap_err(), BucketError::Empty);
        for bound in [0.0, -1.0, f64::INFINITY, 1e9] {
            assert_eq!(check(&[bound]).unwrap_err(), BucketError::OutOfRange { bound });
        }
        assert!(matches!(check(&[f64::NAN]), Err(BucketError::OutOfRange { .. })));
        assert_eq!(check(&[1.0, 1.0]).unwrap_err(), BucketError::Unsorted { previous: 1.0, bound: 1.0 });
    }
}
