//! The metrics of objectives.

use std::rc::Rc;

use crate::cells::labels::Labels;
use crate::cells::objective::Objective;
use crate::families::calls_snapshot::{CallsSnapshot, WithObjective};
use crate::families::catalog::{self, Metric};
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// The objective metrics of one kind of call. Functions without an objective have no series in them.
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

impl ObjectiveMetrics {
    /// All metrics of objectives.
    pub(crate) fn all() -> impl Iterator<Item = &'static Metric> {
        [&AGENTS, &SKILLS].into_iter().flat_map(|of| [of.info, of.success, of.limit, of.within, of.slow])
    }

    pub(crate) fn show(&self, readings: &Rc<CallsSnapshot>) -> [MetricSnapshot; 5] {
        let names = self.info.labels;
        let info = MetricSnapshot::new(
            self.info,
            Rc::clone(readings),
            move |readings: &CallsSnapshot, sink: &mut dyn Sink| {
                for with_objective in readings.with_objective() {
                    sink.push(&info_labels(names, &with_objective), None, Sample::Gauge(1));
                }
            },
        );
        let show = |metric, value: fn(&WithObjective<'_>) -> Option<Sample<'static>>| {
            MetricSnapshot::new(
                metric,
                Rc::clone(readings),
                move |readings: &CallsSnapshot, sink: &mut dyn Sink| {
                    for with_objective in readings.with_objective() {
                        if let Some(value) = value(&with_objective) {
                            sink.push(with_objective.labels, None, value);
                        }
                    }
                },
            )
        };
        [
            info,
            show(self.success, |with_objective| {
                Some(Sample::Decimal(with_objective.objective.success?.ratio))
            }),
            show(self.limit, |with_objective| {
                Some(Sample::Decimal(with_objective.objective.latency?.nanos as f64 / 1e9))
            }),
            show(self.within, |with_objective| {
                Some(Sample::Decimal(with_objective.objective.latency?.share.ratio))
            }),
            show(self.slow, |with_objective| with_objective.succeeded.over_the_limit().map(Sample::Counter)),
        ]
    }
}

/// The labels of the info metric. A missing part of an objective is an empty label, which Prometheus treats as a
/// missing one.
fn info_labels(names: &[&str], with_objective: &WithObjective<'_>) -> Labels {
    let Objective { success, latency } = with_objective.objective;
    let id = with_objective.labels.values().next().unwrap_or("");
    let success = success.map_or("", |share| share.percent);
    Labels::new(names, &[id, success, latency.map_or("", |latency| latency.text)])
}
