//! Counters of events that are too rare for striped cells. Each is shown once it has counted something.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cells::buckets::Buckets;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::families::catalog::Metric;
use crate::families::family::{Family, Found};
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// A counter has no buckets, but its family asks for some.
const NO_BUCKETS: &[f64] = &[1.0];

/// The value of a counter.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Whole(u64),
    Nanos(u64),
}

/// `None` without series, so that the metric is not shown.
pub(super) fn snapshot(
    metric: &'static Metric,
    read: Vec<(&'static Labels, Count)>,
) -> Option<MetricSnapshot> {
    let show = |read: &Vec<(&'static Labels, Count)>, sink: &mut dyn Sink| {
        for (labels, count) in read {
            let sample = match *count {
                Count::Whole(count) => Sample::Counter(count),
                Count::Nanos(nanos) => Sample::Nanos(nanos),
            };
            sink.push(labels, None, sample);
        }
    };
    (!read.is_empty()).then(|| MetricSnapshot::new(metric, Rc::new(read), show))
}

/// Adds to a counter of amounts. It stays at its maximum, since a wrapped sum looks like the restart of the process.
pub(crate) fn add_saturating(counter: &AtomicU64, amount: u64) {
    let _ =
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| Some(sum.saturating_add(amount)));
}

/// The counters of one metric.
pub(super) struct Counters {
    pub(super) metric: &'static Metric,
    series: Family<CountSeries>,
}

impl Counters {
    pub(super) const fn new(metric: &'static Metric) -> Self {
        Self { metric, series: Family::new(metric, metric.labels, NO_BUCKETS) }
    }

    /// Shows the counter at 0 before it first counts, so that `rate()` sees the first event.
    pub(super) fn prepare(&self, labels: &[&str]) {
        self.series.prepare(labels);
    }

    /// Adds one, and returns the count before.
    pub(super) fn count(&self, labels: &[&str]) -> u64 {
        self.add(labels, 1)
    }

    /// Adds this much, and returns the count before.
    pub(super) fn add(&self, labels: &[&str], amount: u64) -> u64 {
        let (Found::Own(series) | Found::Overflow(series)) = self.series.find(labels);
        series.count.fetch_add(amount, Ordering::Relaxed)
    }

    /// Reads the count of each series, by its first two labels in the order of their names.
    #[cfg(feature = "runs")]
    pub(super) fn each(&'static self, mut look: impl FnMut([&'static str; 2], u64)) {
        for series in self.series.sorted() {
            look(series.labels.first_values(), series.count.load(Ordering::Relaxed));
        }
    }

    pub(super) fn read(&'static self) -> Option<MetricSnapshot> {
        let series = self.series.sorted();
        let read = |series: &'static CountSeries| {
            (&series.labels, Count::Whole(series.count.load(Ordering::Relaxed)))
        };
        snapshot(self.metric, series.into_iter().map(read).collect())
    }
}

struct CountSeries {
    labels: Labels,
    count: AtomicU64,
}

impl Series for CountSeries {
    fn new(labels: Labels, _: &'static Buckets) -> Self {
        Self { labels, count: AtomicU64::new(0) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}
