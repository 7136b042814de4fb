//! Numbers that many threads write: striped counters, histograms, exemplars, and the index that finds a series.
//!
//! The cells do not know which metric they count for.

pub(crate) mod buckets;
pub(crate) mod clock;
pub(crate) mod exemplars;
pub(crate) mod histogram;
pub(crate) mod index;
pub(crate) mod labels;
pub(crate) mod native;
pub(crate) mod number;
pub(crate) mod objective;
pub(crate) mod stripes;
pub(crate) mod sync;
