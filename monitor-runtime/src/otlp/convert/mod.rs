//! Converts a snapshot of a registry to OTLP metrics with the same names and labels, and adds those that the conventions
//! for generative AI name.

mod foreign;
mod gen_ai;
mod own;
mod parts;

use opentelemetry_proto::tonic::metrics::v1::Metric;

use crate::exposition::contents::Contents;
use crate::otlp::choices::OtlpHistograms;
use own::Points;
use parts::Span;

/// Converted metrics, and their number of data points.
pub(super) struct Converted {
    pub(super) metrics: Vec<Metric>,
    pub(super) points: usize,
    /// The number of our own metrics, by whichever name, which come first.
    pub(super) own: usize,
}

/// The start of all totals and the time of the snapshot, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Used if the registry has no start time of the process.
    pub(super) fallback_start: u64,
    pub(super) now: u64,
}

/// Converts every metric: counters to cumulative monotonic sums, histograms to cumulative histograms.
pub(super) fn convert(contents: &Contents, times: Times, histograms: Option<OtlpHistograms>) -> Converted {
    let start = foreign::process_start(&contents.foreign).unwrap_or(times.fallback_start).min(times.now);
    let span = Span { start, now: times.now };
    let mut converted = Converted { metrics: Vec::new(), points: 0, own: 0 };
    let is_explicit = histograms == Some(OtlpHistograms::Explicit);
    for shown in &contents.own {
        let mut points = Points::new(shown, &contents.around.labels, span, is_explicit);
        shown.encode(&mut points);
        converted.add(points.count, || points.into_metric(shown, &contents.around.prefix));
    }
    // A registry without our own metrics has a part of the process only, and these are not in it.
    if !contents.own.is_empty() {
        for (metric, points) in gen_ai::metrics(span, is_explicit) {
            converted.add(points, || metric);
        }
    }
    converted.own = converted.metrics.len();
    for family in &contents.foreign {
        converted.add(family.get_metric().len(), || foreign::metric(family, span));
    }
    converted
}

impl Converted {
    /// Adds a metric, unless it has no data points.
    fn add(&mut self, points: usize, metric: impl FnOnce() -> Metric) {
        if points > 0 {
            self.metrics.push(metric());
            self.points += points;
        }
    }
}
