//! Where collected samples go: one walk over the series feeds the text form and the `prometheus` form alike.

use super::histogram::Reading;
use super::labels::Labels;
use crate::catalog::Metric;

/// One label that tells the samples of a series apart.
pub(crate) type ExtraLabel<'a> = Option<(&'static str, &'a str)>;

/// The value of one sample.
pub(crate) enum Sample<'a> {
    Counter(u64),
    Gauge(u64),
    Histogram(&'a Reading),
}

/// Takes the samples of one metric, sorted.
pub(crate) trait Sink {
    /// Starts the metric.
    fn new(metric: &'static Metric) -> Self;
    /// Takes one sample.
    fn push(&mut self, labels: &Labels, extra: ExtraLabel<'_>, sample: Sample<'_>);
}
