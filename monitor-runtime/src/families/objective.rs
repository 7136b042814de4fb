//! How what is promised of a function's calls is shown beside them.

use std::rc::Rc;

use crate::cells::labels::Labels;
use crate::cells::objective::Objective;
use crate::cells::reading::Reading;
use crate::families::calls::CallSeries;
use crate::families::calls_snapshot::Readings;
use crate::families::catalog::{self, Metric};
use crate::families::snapshot::{Sample, Shown, Sink};

impl CallSeries {
    /// Warns where something else is promised of these calls than `wanted`: of all functions under one id, the objective of
    /// the one that was called first stands.
    #[cold]
    pub(crate) fn warn_unless_promised(&self, wanted: &'static Objective) {
        if self.buckets.objective() != Some(wanted) {
            tracing::warn!(
                target: "monitor_runtime::metrics",
                id = self.id(),
                "another function under this id was called first and its objective applies; give both functions the same one"
            );
        }
    }
}

/// The metrics of one kind of call that tell of objectives. Functions without one have no series in them.
pub(crate) struct ObjectiveMetrics {
    pub(crate) info: &'static Metric,
    pub(crate) success: &'static Metric,
    pub(crate) limit: &'static Metric,
    pub(crate) within: &'static Metric,
    pub(crate) slow: &'static Metric,
}

pub(crate) static AGENTS: ObjectiveMetrics = ObjectiveMetrics {
    info: &catalog::AGENT_OBJECTIVE,
    success: &catalog::AGENT_OBJECTIVE_SUCCESS,
    limit: &catalog::AGENT_OBJECTIVE_LIMIT,
    within: &catalog::AGENT_OBJECTIVE_WITHIN,
    slow: &catalog::AGENT_OBJECTIVE_SLOW,
};
pub(crate) static SKILLS: ObjectiveMetrics = ObjectiveMetrics {
    info: &catalog::SKILL_OBJECTIVE,
    success: &catalog::SKILL_OBJECTIVE_SUCCESS,
    limit: &catalog::SKILL_OBJECTIVE_LIMIT,
    within: &catalog::SKILL_OBJECTIVE_WITHIN,
    slow: &catalog::SKILL_OBJECTIVE_SLOW,
};

/// A series with an objective, and what it held of calls that succeeded.
pub(crate) struct Promised<'r> {
    pub(crate) labels: &'static Labels,
    pub(crate) objective: &'static Objective,
    pub(crate) succeeded: Reading<'r>,
}

impl ObjectiveMetrics {
    /// Every metric that tells of objectives.
    pub(crate) fn all() -> impl Iterator<Item = &'static Metric> {
        [&AGENTS, &SKILLS].into_iter().flat_map(|of| [of.info, of.success, of.limit, of.within, of.slow])
    }

    pub(crate) fn show(&self, readings: &Rc<Readings>) -> [Shown; 5] {
        let names = self.info.labels;
        let info =
            Shown::new(self.info, Rc::clone(readings), move |readings: &Readings, sink: &mut dyn Sink| {
                for promised in readings.promised() {
                    sink.push(&info_labels(names, &promised), None, Sample::Gauge(1));
                }
            });
        let show = |metric, value: fn(&Promised<'_>) -> Option<Sample<'static>>| {
            Shown::new(metric, Rc::clone(readings), move |readings: &Readings, sink: &mut dyn Sink| {
                for promised in readings.promised() {
                    if let Some(value) = value(&promised) {
                        sink.push(promised.labels, None, value);
                    }
                }
            })
        };
        [
            info,
            show(self.success, |promised| Some(Sample::Decimal(promised.objective.success?.ratio))),
            show(self.limit, |promised| {
                Some(Sample::Decimal(promised.objective.latency?.nanos as f64 / 1e9))
            }),
            show(self.within, |promised| Some(Sample::Decimal(promised.objective.latency?.share.ratio))),
            show(self.slow, |promised| promised.succeeded.over_the_limit().map(Sample::Counter)),
        ]
    }
}

/// What is not promised is an empty label, which is to Prometheus the same as none.
fn info_labels(names: &[&str], promised: &Promised<'_>) -> Labels {
    let Objective { success, latency } = promised.objective;
    let id = promised.labels.values().next().unwrap_or("");
    let success = success.map_or("", |share| share.percent);
    Labels::new(names, &[id, success, latency.map_or("", |latency| latency.text)])
}
