//! How what is promised of a function's calls is shown beside them.

use std::rc::Rc;

use super::call_readings::Readings;
use super::calls::CallSeries;
use super::labels::Labels;
use super::promise::Objective;
use super::reading::Reading;
use super::sink::{Sample, Shown, Sink};
use crate::catalog::{self, Metric};

impl CallSeries {
    /// Warns where something else is promised of these calls than `wanted`: of all functions under one id, the objective of
    /// the one that was called first stands.
    #[cold]
    pub(crate) fn warn_unless_promised(&self, wanted: &'static Objective) {
        if self.buckets.objective() != Some(wanted) {
            tracing::warn!(
                target: "monitor_runtime::metrics",
                id = self.id(),
                "another function under this id was called first, and its objective differs; give both the same one"
            );
        }
    }
}

/// The metrics of one kind of call that tell of objectives. Functions without one have no series in them.
pub(super) struct ObjectiveMetrics {
    pub(super) info: &'static Metric,
    pub(super) success: &'static Metric,
    pub(super) limit: &'static Metric,
    pub(super) within: &'static Metric,
    pub(super) slow: &'static Metric,
}

pub(super) static AGENTS: ObjectiveMetrics = ObjectiveMetrics {
    info: &catalog::AGENT_OBJECTIVE,
    success: &catalog::AGENT_OBJECTIVE_SUCCESS,
    limit: &catalog::AGENT_OBJECTIVE_LIMIT,
    within: &catalog::AGENT_OBJECTIVE_WITHIN,
    slow: &catalog::AGENT_OBJECTIVE_SLOW,
};
pub(super) static SKILLS: ObjectiveMetrics = ObjectiveMetrics {
    info: &catalog::SKILL_OBJECTIVE,
    success: &catalog::SKILL_OBJECTIVE_SUCCESS,
    limit: &catalog::SKILL_OBJECTIVE_LIMIT,
    within: &catalog::SKILL_OBJECTIVE_WITHIN,
    slow: &catalog::SKILL_OBJECTIVE_SLOW,
};

/// A series with an objective, and what it held of calls that succeeded.
pub(super) struct Promised<'r> {
    pub(super) labels: &'static Labels,
    pub(super) objective: &'static Objective,
    pub(super) succeeded: Reading<'r>,
}

impl ObjectiveMetrics {
    /// Every metric that tells of objectives.
    pub(super) fn all() -> impl Iterator<Item = &'static Metric> {
        [&AGENTS, &SKILLS].into_iter().flat_map(|of| [of.info, of.success, of.limit, of.within, of.slow])
    }

    pub(super) fn show(&self, readings: &Rc<Readings>) -> [Shown; 5] {
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
