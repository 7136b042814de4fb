//! What is promised of a function's calls, and how it is shown beside them.

use std::rc::Rc;

use super::call_readings::Readings;
use super::calls::CallSeries;
use super::labels::Labels;
use super::reading::Reading;
use super::sink::{Sample, Shown, Sink};
use crate::catalog::{self, Metric};

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

/// Where the limit of an objective stands among the bounds of its histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    None,
    /// It is one of the bounds that are shown.
    Shown(usize),
    /// It is a bound that only the objective has: those past it are told apart at no cost to a call.
    Hidden(usize),
}

impl Limit {
    /// Finds the limit among the bounds, or puts it there.
    pub(super) fn among(bounds: &mut Vec<u64>, limit: u64) -> Self {
        match bounds.binary_search(&limit) {
            Ok(at) => Self::Shown(at),
            Err(at) => {
                bounds.insert(at, limit);
                Self::Hidden(at)
            }
        }
    }

    /// Moves the count of a bound that is not shown behind all that are.
    #[inline]
    pub(super) fn put_last(self, counts: &mut [u64]) {
        if let Self::Hidden(at) = self {
            counts[at..].rotate_left(1);
        }
    }

    /// Whether a bound that is not shown stands below this one.
    #[cfg(feature = "health")]
    pub(super) fn is_hidden_below(self, bound: usize) -> bool {
        matches!(self, Self::Hidden(at) if at < bound)
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
