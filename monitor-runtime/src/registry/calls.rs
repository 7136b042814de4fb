//! The three families of tracked calls: agents, skills and queries.

use std::sync::OnceLock;

use super::family::{Family, Series};
use super::histogram::{Buckets, Histogram, Reading};
use super::labels::Labels;
use super::shard::{Cells, Stripe};
use super::sink::{Sample, Sink};
use crate::call::Outcome;
use crate::catalog::{self, Metric};

/// From milliseconds to minutes, since an agent waits for models and tools.
pub(crate) const CALL_BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];
const QUERY_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// What an attribute tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// `track_agent`
    Agent,
    /// `track_skill`
    Skill,
    /// `track_query`
    Query,
}

/// The metrics of one kind of call, and their series.
pub(crate) struct CallFamily {
    total: &'static Metric,
    duration: &'static Metric,
    active: Option<&'static Metric>,
    first_item: Option<&'static Metric>,
    pub(crate) series: Family<CallSeries>,
}

static AGENTS: CallFamily = CallFamily {
    total: &catalog::AGENT_EXECUTIONS,
    duration: &catalog::AGENT_DURATION,
    active: Some(&catalog::AGENT_ACTIVE),
    first_item: Some(&catalog::AGENT_FIRST_ITEM),
    series: Family::new(&catalog::AGENT_EXECUTIONS, &["agent_id"], &CALL_BUCKETS),
};
static SKILLS: CallFamily = CallFamily {
    total: &catalog::SKILL_EXECUTIONS,
    duration: &catalog::SKILL_DURATION,
    active: Some(&catalog::SKILL_ACTIVE),
    first_item: Some(&catalog::SKILL_FIRST_ITEM),
    series: Family::new(&catalog::SKILL_EXECUTIONS, &["skill_id"], &CALL_BUCKETS),
};
static QUERIES: CallFamily = CallFamily {
    total: &catalog::DB_QUERIES,
    duration: &catalog::DB_DURATION,
    active: None,
    first_item: None,
    series: Family::new(&catalog::DB_QUERIES, &["operation", "query"], &QUERY_BUCKETS),
};

impl CallKind {
    pub(crate) const ALL: [Self; 3] = [Self::Agent, Self::Skill, Self::Query];

    /// The one family of this kind.
    pub(crate) fn family(self) -> &'static CallFamily {
        match self {
            Self::Agent => &AGENTS,
            Self::Skill => &SKILLS,
            Self::Query => &QUERIES,
        }
    }
}

impl CallFamily {
    /// Shows every series to one sink a metric.
    ///
    /// A series is read once for all of them, so a total is its histogram's count.
    pub(crate) fn collect<S: Sink>(&self) -> Vec<S> {
        let mut total = S::new(self.total);
        let mut duration = S::new(self.duration);
        let mut active = self.active.map(S::new);
        let mut first_item = self.first_item.map(S::new);
        for series in self.series.sorted() {
            series.show(&mut total, &mut duration, active.as_mut());
            if let Some(first_item) = &mut first_item {
                series.show_first_item(first_item);
            }
        }
        active.into_iter().chain([duration, total]).chain(first_item).collect()
    }
}

/// Everything counted for one id.
#[derive(Debug)]
pub(crate) struct CallSeries {
    labels: Labels,
    buckets: &'static Buckets,
    started: Cells,
    /// Made when the outcome first occurs.
    ended: [OnceLock<Histogram>; Outcome::ALL.len()],
    /// Made when a stream first yields.
    first_item: OnceLock<Histogram>,
}

impl Series for CallSeries {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        Self {
            labels,
            buckets,
            started: Cells::new(1),
            ended: [const { OnceLock::new() }; Outcome::ALL.len()],
            first_item: OnceLock::new(),
        }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl CallSeries {
    /// The id among its labels: the last of them.
    pub(crate) fn id(&self) -> &str {
        self.labels.values().last().map_or("", |id| id)
    }

    /// Counts a call that starts.
    #[inline]
    pub(crate) fn start(&self) {
        self.started.add(Stripe::of_this_thread(), 0, 1);
    }

    /// Counts a call that ended; each start is followed by exactly one end.
    #[inline]
    pub(crate) fn end(&self, outcome: Outcome, nanos: u64) {
        let histogram = self.ended[outcome as usize].get_or_init(|| Histogram::new(self.buckets));
        histogram.record(Stripe::of_this_thread(), nanos);
    }

    /// Records how long a stream took to yield its first item.
    pub(crate) fn first_item(&self, nanos: u64) {
        let histogram = self.first_item.get_or_init(|| Histogram::new(self.buckets));
        histogram.record(Stripe::of_this_thread(), nanos);
    }

    fn show_first_item<S: Sink>(&self, first_item: &mut S) {
        if let Some(histogram) = self.first_item.get() {
            first_item.push(&self.labels, None, Sample::Histogram(&histogram.read()));
        }
    }

    pub(super) fn show<S: Sink>(&self, total: &mut S, duration: &mut S, active: Option<&mut S>) {
        let mut ended = 0;
        for outcome in Outcome::BY_NAME {
            let status = Some(("status", outcome.as_str()));
            let reading = self.ended[outcome as usize].get().map(Histogram::read);
            let count = reading.as_ref().map_or(0, Reading::count);
            ended += count;
            total.push(&self.labels, status, Sample::Counter(count));
            if let Some(reading) = &reading {
                duration.push(&self.labels, status, Sample::Histogram(reading));
            }
        }
        // Read after the ends: whatever has ended has started, so the difference is never negative.
        let running = self.started.sum(0).saturating_sub(ended);
        if let Some(active) = active {
            active.push(&self.labels, None, Sample::Gauge(running));
        }
    }
}
