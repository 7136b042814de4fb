//! Service level objectives, and where a latency limit lies among the bucket bounds.

/// The objective for the calls under one id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The share of calls that succeed.
    pub success: Option<Share>,
    /// The latency limit for successful calls.
    pub latency: Option<Latency>,
}

/// A share of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// In percent, as the label shows it.
    pub percent: &'static str,
    /// Between 0 and 1.
    pub ratio: f64,
}

/// A latency limit, and the share of calls that stay within it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Limit and share as the label shows them, such as `2s@95`.
    pub text: &'static str,
    /// The limit in nanoseconds, inclusive.
    pub nanos: u64,
    /// The share of calls within the limit.
    pub share: Share,
}

/// Where the latency limit lies among the bounds of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    None,
    /// The limit equals a bound that scrapes show; its index.
    MetricSnapshot(usize),
    /// The limit is an extra bound that scrapes do not show; its index. One more bucket counts the calls past the
    /// limit, so a call pays nothing for the objective.
    Hidden(usize),
}

impl Limit {
    /// Finds the limit among the bounds; inserts it if no bound equals it.
    pub(crate) fn among(bounds: &mut Vec<u64>, limit: u64) -> Self {
        match bounds.binary_search(&limit) {
            Ok(at) => Self::MetricSnapshot(at),
            Err(at) => {
                bounds.insert(at, limit);
                Self::Hidden(at)
            }
        }
    }

    /// Moves the count of the hidden bound behind all counts that scrapes show.
    #[inline]
    pub(crate) fn put_last(self, counts: &mut [u64]) {
        if let Self::Hidden(at) = self {
            counts[at..].rotate_left(1);
        }
    }

    /// Whether the hidden bound lies below `bound`.
    pub(crate) fn is_hidden_below(self, bound: usize) -> bool {
        matches!(self, Self::Hidden(at) if at < bound)
    }
}
