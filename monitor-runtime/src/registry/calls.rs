//! The three families of tracked calls: agents, skills and queries.

use std::rc::Rc;
use std::sync::OnceLock;

use super::family::{Family, Series};
use super::histogram::{Buckets, Histogram, Reading};
use super::labels::Labels;
use super::shard::Stripe;
use super::sink::{Sample, Shown, Sink};
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
    /// Reads every series, once for all metrics, so that a total is its histogram's count.
    pub(crate) fn read(&'static self) -> Vec<Shown> {
        let readings = Rc::new(Readings::of(self.series.sorted()));
        let mut shown = vec![
            Shown::new(self.duration, Rc::clone(&readings), Readings::show_durations),
            Shown::new(self.total, Rc::clone(&readings), Readings::show_totals),
        ];
        shown.extend(
            self.active.map(|metric| Shown::new(metric, Rc::clone(&readings), Readings::show_active)),
        );
        shown.extend(self.first_item.map(|metric| Shown::new(metric, readings, Readings::show_first_items)));
        shown
    }
}

/// Everything counted for one id.
#[derive(Debug)]
pub(crate) struct CallSeries {
    labels: Labels,
    buckets: &'static Buckets,
    /// Calls that succeeded; beside them, calls that started.
    success: Histogram,
    /// Those that ended otherwise, made when the outcome first occurs.
    failed: [OnceLock<Histogram>; FAILED],
    /// Made when a stream first yields.
    first_item: OnceLock<Histogram>,
}

/// The outcomes but [`Outcome::Success`].
const FAILED: usize = Outcome::ALL.len() - 1;

impl Series for CallSeries {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        Self {
            labels,
            buckets,
            success: Histogram::new(buckets),
            failed: [const { OnceLock::new() }; FAILED],
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
        self.labels.values().last().unwrap_or("")
    }

    /// Counts a call that starts.
    #[inline]
    pub(crate) fn start(&self) {
        self.success.add_beside(Stripe::of_this_thread(), 1);
    }

    /// Counts a call that ended; each start is followed by exactly one end.
    #[inline]
    pub(crate) fn end(&self, outcome: Outcome, nanos: u64) {
        if outcome == Outcome::Success {
            self.success.record(Stripe::of_this_thread(), nanos);
        } else {
            self.fail(outcome, nanos);
        }
    }

    fn fail(&self, outcome: Outcome, nanos: u64) {
        let histogram = self.failed[outcome as usize - 1].get_or_init(|| Histogram::new(self.buckets));
        histogram.record(Stripe::of_this_thread(), nanos);
    }

    /// Records how long a stream took to yield its first item.
    pub(crate) fn first_item(&self, nanos: u64) {
        let histogram = self.first_item.get_or_init(|| Histogram::new(self.buckets));
        histogram.record(Stripe::of_this_thread(), nanos);
    }

    fn ended(&self, outcome: Outcome) -> Option<&Histogram> {
        match outcome {
            Outcome::Success => Some(&self.success),
            _ => self.failed[outcome as usize - 1].get(),
        }
    }
}

/// What the series of a family held when they were read.
pub(super) struct Readings {
    series: Vec<&'static CallSeries>,
    /// For each series and each outcome by name, the buckets added up.
    counts: Vec<u64>,
    /// For each series and each outcome by name.
    sums: Vec<u64>,
    running: Vec<u64>,
    /// How many buckets a histogram has.
    buckets: usize,
}

const OUTCOMES: usize = Outcome::BY_NAME.len();

impl Readings {
    pub(super) fn of(series: Vec<&'static CallSeries>) -> Self {
        let buckets = series.first().map_or(0, |series| series.buckets.count());
        let mut readings = Self {
            counts: vec![0; series.len() * OUTCOMES * buckets],
            sums: vec![0; series.len() * OUTCOMES],
            running: Vec::with_capacity(series.len()),
            series,
            buckets,
        };
        readings.read();
        readings
    }

    fn read(&mut self) {
        let mut counts = self.counts.chunks_mut(self.buckets.max(1));
        let mut sums = self.sums.iter_mut();
        for series in &self.series {
            let mut ended = 0;
            for ((outcome, counts), sum) in Outcome::BY_NAME.into_iter().zip(&mut counts).zip(&mut sums) {
                if let Some(histogram) = series.ended(outcome) {
                    *sum = histogram.read_into(counts);
                    ended += counts.last().copied().unwrap_or(0);
                }
            }
            // Read after the ends: whatever has ended has started, so the difference is never negative.
            self.running.push(series.success.beside().saturating_sub(ended));
        }
    }

    /// Each series with what it held of each outcome.
    fn by_status(
        &self,
    ) -> impl Iterator<Item = (&'static CallSeries, (&'static str, &'static str), Reading<'_>)> {
        let keys = self.series.iter().flat_map(|series| Outcome::BY_NAME.map(|outcome| (*series, outcome)));
        let values = self.counts.chunks(self.buckets.max(1)).zip(&self.sums);
        keys.zip(values).map(|((series, outcome), (cumulative, &sum_nanos))| {
            let reading = Reading { buckets: series.buckets, cumulative, sum_nanos };
            (series, ("status", outcome.as_str()), reading)
        })
    }

    pub(super) fn show_totals(&self, sink: &mut dyn Sink) {
        for (series, status, reading) in self.by_status() {
            sink.push(&series.labels, Some(status), Sample::Counter(reading.count()));
        }
    }

    pub(super) fn show_durations(&self, sink: &mut dyn Sink) {
        for (series, status, reading) in self.by_status().filter(|(.., reading)| reading.count() > 0) {
            sink.push(&series.labels, Some(status), Sample::Histogram(reading));
        }
    }

    pub(super) fn show_active(&self, sink: &mut dyn Sink) {
        for (series, &running) in self.series.iter().zip(&self.running) {
            sink.push(&series.labels, None, Sample::Gauge(running));
        }
    }

    fn show_first_items(&self, sink: &mut dyn Sink) {
        for series in &self.series {
            if let Some(histogram) = series.first_item.get() {
                histogram.read(|reading| sink.push(&series.labels, None, Sample::Histogram(reading)));
            }
        }
    }
}
