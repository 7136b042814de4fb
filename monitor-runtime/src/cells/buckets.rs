//! The bounds of a family's buckets.

use crate::cells::native::{Layout, NativeHistograms};
use crate::cells::objective::{Limit, Objective};
use crate::cells::stripes::Cells;
use crate::error_chain::debug_as_text;

/// The word of the lowest bucket; the words before it are a histogram's starts and sum.
pub(crate) const FIRST_BUCKET: usize = 2;

/// Upper bounds of a family's buckets.
#[derive(Debug)]
pub(crate) struct Buckets {
    seconds: Box<[f64]>,
    nanos: Box<[u64]>,
    /// One a bucket that is shown, `+Inf` last.
    bounds: Box<[RenderedBound]>,
    /// The same as OpenMetrics has them.
    canonical_bounds: Box<[String]>,
    /// Of the native histograms that are kept as well.
    layout: Option<Layout>,
    objective: Option<&'static Objective>,
    limit: Limit,
}

/// What stands before a bucket's count: `le="0.005"} `.
#[derive(Debug)]
pub(crate) struct RenderedBound {
    text: Box<str>,
    /// The text, if it is short enough, and spaces behind it.
    padded: [u8; PADDED],
}

const PADDED: usize = 16;

impl RenderedBound {
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
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// No bound was given.
    #[error("no bucket bounds were given; expected at least one upper bound in seconds, such as [0.1, 1.0]")]
    Empty,
    /// A bound is NaN, infinite, zero or negative, or too large to count in nanoseconds.
    #[error(
        "bucket bound {bound} is not a usable number of seconds; expected finite bounds above 0 and below 1e9 (the +Inf bucket is added automatically)"
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

debug_as_text!(BucketError);

impl Buckets {
    /// Checks the bounds, which are in seconds.
    pub(crate) fn new(seconds: &[f64]) -> Result<Self, BucketError> {
        check(seconds)?;
        Ok(Self::of_defaults(seconds))
    }

    /// Takes bounds that are known to be finite, positive and ascending.
    pub(crate) fn of_defaults(seconds: &[f64]) -> Self {
        let bounds = seconds.iter().map(|bound| RenderedBound::new(&bound.to_string()));
        Self {
            seconds: seconds.into(),
            nanos: seconds.iter().map(|&bound| to_nanos(bound)).collect(),
            bounds: bounds.chain([RenderedBound::new("+Inf")]).collect(),
            canonical_bounds: canonical_bounds(seconds),
            layout: None,
            objective: None,
            limit: Limit::None,
        }
    }

    /// The same bounds, with native histograms beside them.
    pub(crate) fn with_native(self, settings: Option<NativeHistograms>) -> Self {
        Self { layout: settings.map(|settings| Layout::new(settings, &self.nanos)), ..self }
    }

    /// The same bounds for calls of which something is promised.
    pub(crate) fn with_objective(&self, objective: &'static Objective) -> Self {
        let mut nanos = self.nanos.to_vec();
        let limit = objective.latency.map_or(Limit::None, |latency| Limit::among(&mut nanos, latency.nanos));
        let (nanos, objective) = (nanos.into(), Some(objective));
        let made = Self { nanos, objective, limit, ..Self::of_defaults(&self.seconds) };
        made.with_native(self.layout().map(|layout| layout.settings))
    }

    pub(crate) fn limit(&self) -> Limit {
        self.limit
    }

    pub(crate) fn objective(&self) -> Option<&'static Objective> {
        self.objective
    }

    /// How native histograms are kept, if they are.
    pub(crate) fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// The bounds in seconds, without `+Inf`.
    pub(crate) fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// How many cells a histogram has.
    pub(crate) fn cells(&self) -> usize {
        FIRST_BUCKET + self.nanos.len() + 1
    }

    /// How many words a reading takes, with any objective.
    pub(crate) fn words(&self) -> usize {
        Cells::room_for(FIRST_BUCKET + self.bounds.len() + 1)
    }

    /// The bucket a duration belongs to, of those that are shown.
    pub(crate) fn shown(&self, nanos: u64) -> usize {
        let index = self.index(nanos);
        index - usize::from(self.limit.is_hidden_below(index))
    }

    pub(crate) fn bounds(&self) -> &[RenderedBound] {
        &self.bounds
    }

    /// What stands before a bucket's count in OpenMetrics, `+Inf` last.
    pub(crate) fn canonical_bounds(&self) -> &[String] {
        &self.canonical_bounds
    }

    /// The bucket a duration belongs to: the first whose bound is not below it.
    #[inline]
    pub(crate) fn index(&self, nanos: u64) -> usize {
        self.nanos.iter().position(|&bound| nanos <= bound).unwrap_or(self.nanos.len())
    }
}

fn canonical_bounds(seconds: &[f64]) -> Box<[String]> {
    let bounds = seconds.iter().copied().chain([f64::INFINITY]);
    bounds.map(|bound| format!("le=\"{}\"}} ", crate::cells::number::canonical(bound))).collect()
}

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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

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
