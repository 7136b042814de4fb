//! The errors of calls, counted by type.
//!
//! They are a family of their own and not a label of the totals. A total has a series for each outcome from the first
//! call on, at 0; an open set of types would break that. Calls without typed errors have no series here.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cells::buckets::Buckets;
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::families::catalog::{self, Metric};
use crate::families::family::{Family, Found};
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// All metrics of typed errors.
pub(crate) static ALL: [&Metric; 4] =
    [&catalog::AGENT_ERRORS, &catalog::SKILL_ERRORS, &catalog::DB_ERRORS, &catalog::MODEL_ERRORS];

/// The errors of one id and one type.
#[derive(Debug)]
pub(crate) struct ErrorSeries {
    labels: Labels,
    errors: AtomicU64,
}

impl Series for ErrorSeries {
    fn new(labels: Labels, _: &'static Buckets) -> Self {
        Self { labels, errors: AtomicU64::new(0) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// Counts an error by its type. `call` has the labels of its call. Returns the type, unless the family has no room for it.
#[cold]
pub(crate) fn count(family: &Family<ErrorSeries>, call: &Labels, error_type: &str) -> Option<&'static str> {
    let values: Vec<&str> = call.values().chain([error_type]).collect();
    let found = family.find(&values);
    let (Found::Own(series) | Found::Overflow(series)) = found;
    series.errors.fetch_add(1, Ordering::Relaxed);
    if let Found::Own(series) = found { series.labels.values().last() } else { None }
}

/// Takes a snapshot of all series; `None` if there is none, so that the metric is not shown.
pub(crate) fn read(metric: &'static Metric, family: &Family<ErrorSeries>) -> Option<MetricSnapshot> {
    let series = family.sorted();
    if series.is_empty() {
        return None;
    }
    let read: Vec<_> =
        series.into_iter().map(|series| (&series.labels, series.errors.load(Ordering::Relaxed))).collect();
    let show = |series: &Vec<(&'static Labels, u64)>, sink: &mut dyn Sink| {
        for (labels, errors) in series {
            sink.push(labels, None, Sample::Counter(*errors));
        }
    };
    Some(MetricSnapshot::new(metric, Rc::new(read), show))
}
