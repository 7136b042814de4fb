//! The four families of tracked calls: agents, skills, queries and model calls.

use std::rc::Rc;

use crate::cells::labels::Labels;
use crate::families::call_series::CallSeries;
use crate::families::calls_snapshot::CallsSnapshot;
use crate::families::catalog::{self, Metric};
use crate::families::errors::{self, ErrorSeries};
use crate::families::family::Family;
use crate::families::objective::{self, ObjectiveMetrics};
use crate::families::snapshot::MetricSnapshot;

/// From milliseconds to minutes, since agents wait for models and tools.
pub(crate) const CALL_BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
pub(crate) const QUERY_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Doubling from 10 milliseconds, as the OpenTelemetry conventions have it for calls of models.
pub(crate) const MODEL_BUCKETS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// The kind of a tracked call, by its attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// `track_agent`
    Agent,
    /// `track_skill`
    Skill,
    /// `track_query`
    Query,
    /// `track_model`
    Model,
}

/// The metrics of one kind of call, and their series.
pub(crate) struct CallFamily {
    total: &'static Metric,
    duration: &'static Metric,
    active: Option<&'static Metric>,
    first_item: Option<&'static Metric>,
    objective: Option<&'static ObjectiveMetrics>,
    pub(crate) series: Family<CallSeries>,
    errors: &'static Metric,
    error_series: Family<ErrorSeries>,
}

static AGENTS: CallFamily = CallFamily {
    total: &catalog::AGENT_EXECUTIONS,
    duration: &catalog::AGENT_DURATION,
    active: Some(&catalog::AGENT_ACTIVE),
    first_item: Some(&catalog::AGENT_FIRST_ITEM),
    objective: Some(&objective::AGENTS),
    series: Family::new(&catalog::AGENT_EXECUTIONS, &["agent_id"], &CALL_BUCKETS),
    errors: &catalog::AGENT_ERRORS,
    error_series: Family::new(&catalog::AGENT_ERRORS, &["agent_id", "error_type"], &CALL_BUCKETS),
};
static SKILLS: CallFamily = CallFamily {
    total: &catalog::SKILL_EXECUTIONS,
    duration: &catalog::SKILL_DURATION,
    active: Some(&catalog::SKILL_ACTIVE),
    first_item: Some(&catalog::SKILL_FIRST_ITEM),
    objective: Some(&objective::SKILLS),
    series: Family::new(&catalog::SKILL_EXECUTIONS, &["skill_id"], &CALL_BUCKETS),
    errors: &catalog::SKILL_ERRORS,
    error_series: Family::new(&catalog::SKILL_ERRORS, &["skill_id", "error_type"], &CALL_BUCKETS),
};
static QUERIES: CallFamily = CallFamily {
    total: &catalog::DB_QUERIES,
    duration: &catalog::DB_DURATION,
    active: None,
    first_item: None,
    objective: None,
    series: Family::new(&catalog::DB_QUERIES, &["operation", "query"], &QUERY_BUCKETS),
    errors: &catalog::DB_ERRORS,
    error_series: Family::new(&catalog::DB_ERRORS, &["operation", "query", "error_type"], &QUERY_BUCKETS),
};

static MODELS: CallFamily = CallFamily {
    total: &catalog::MODEL_CALLS,
    duration: &catalog::MODEL_DURATION,
    active: Some(&catalog::MODEL_ACTIVE),
    first_item: Some(&catalog::MODEL_FIRST_CHUNK),
    objective: None,
    series: Family::new(&catalog::MODEL_CALLS, &["provider", "model"], &MODEL_BUCKETS),
    errors: &catalog::MODEL_ERRORS,
    error_series: Family::new(&catalog::MODEL_ERRORS, &["provider", "model", "error_type"], &MODEL_BUCKETS),
};

impl CallKind {
    pub(crate) const ALL: [Self; 4] = [Self::Agent, Self::Skill, Self::Query, Self::Model];

    /// The family of this kind of call.
    pub(crate) fn family(self) -> &'static CallFamily {
        match self {
            Self::Agent => &AGENTS,
            Self::Skill => &SKILLS,
            Self::Query => &QUERIES,
            Self::Model => &MODELS,
        }
    }
}

impl CallFamily {
    /// Takes one snapshot of every series for all metrics, so that a total always equals the count of its histogram.
    pub(crate) fn read(&'static self) -> Vec<MetricSnapshot> {
        let readings = Rc::new(CallsSnapshot::of(self.series.sorted()));
        let mut shown = vec![
            MetricSnapshot::new(self.duration, Rc::clone(&readings), CallsSnapshot::encode_durations),
            MetricSnapshot::new(self.total, Rc::clone(&readings), CallsSnapshot::encode_totals),
        ];
        shown.extend(
            self.active.map(|metric| {
                MetricSnapshot::new(metric, Rc::clone(&readings), CallsSnapshot::encode_active)
            }),
        );
        if let Some(metrics) = self.objective.filter(|_| readings.with_objective().next().is_some()) {
            shown.extend(metrics.show(&readings));
        }
        shown.extend(
            self.first_item
                .map(|metric| MetricSnapshot::new(metric, readings, CallsSnapshot::encode_first_items)),
        );
        shown.extend(errors::read(self.errors, &self.error_series));
        shown
    }

    /// Counts an error by its type. `call` has the labels of its call. Returns the type, unless there is no room for it: so few
    /// types are returned that they may be labels.
    pub(crate) fn count_error(&self, call: &Labels, error_type: &str) -> Option<&'static str> {
        errors::count(&self.error_series, call, error_type)
    }

    /// The calls in flight: label values and number, for each series that has any.
    pub(crate) fn in_flight<const LABELS: usize>(&'static self) -> Vec<([&'static str; LABELS], u64)> {
        let in_flight = CallsSnapshot::of(self.series.sorted()).in_flight();
        in_flight.map(|(series, calls)| (series.labels.first_values(), calls)).collect()
    }
}

/// Keeps exemplars in all existing series.
pub(crate) fn keep_exemplars() {
    let families = CallKind::ALL.into_iter().map(CallKind::family);
    families.flat_map(|family| family.series.sorted()).for_each(CallSeries::keep_exemplars);
}
