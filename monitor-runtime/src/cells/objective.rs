//! What is promised of a function's calls, and where its limit stands among their buckets.

/// What is promised of the calls under one id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// How many of them succeed.
    pub success: Option<Share>,
    /// How long those take that succeed.
    pub latency: Option<Latency>,
}

/// A share of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// In percent, as a label shows it.
    pub percent: &'static str,
    /// Between 0 and 1.
    pub ratio: f64,
}

/// How long a share of the calls takes at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Limit and share as a label shows them, such as `2s@95`.
    pub text: &'static str,
    /// The limit; a call that takes just as long is within it.
    pub nanos: u64,
    /// How many calls are to be within it.
    pub share: Share,
}

/// Where the limit of an objective stands among the bounds of its histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    None,
    /// It is one of the bounds that are shown.
    MetricSnapshot(usize),
    /// It is a bound that only the objective has: those past it are told apart at no cost to a call.
    Hidden(usize),
}

impl Limit {
    /// Finds the limit among the bounds, or puts it there.
    pub(crate) fn among(bounds: &mut Vec<u64>, limit: u64) -> Self {
        match bounds.binary_search(&limit) {
            Ok(at) => Self::MetricSnapshot(at),
            Err(at) => {
                bounds.insert(at, limit);
                Self::Hidden(at)
            }
        }
    }

    /// Moves the count of a bound that is not shown behind all that are.
    #[inline]
    pub(crate) fn put_last(self, counts: &mut [u64]) {
        if let Self::Hidden(at) = self {
            counts[at..].rotate_left(1);
        }
    }

    /// Whether a bound that is not shown stands below this one.
    pub(crate) fn is_hidden_below(self, bound: usize) -> bool {
        matches!(self, Self::Hidden(at) if at < bound)
    }
}
