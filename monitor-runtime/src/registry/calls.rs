//! The three families of tracked calls: agents, skills and queries.

use std::rc::Rc;
use std::sync::OnceLock;

use super::family::{Family, Series};
use super::histogram::{Buckets, Histogram, Reading};
use super::labels::Labels;
use super::shard::Stripe;
use super::sink::{ExtraLabel, Sample, Shown, Sink};
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

/// The `status` label of an outcome.
fn status(outcome: Outcome) -> &'static ExtraLabel {
    macro_rules! label {
        ($value:literal) => {
            &const {
                ExtraLabel {
                    name: "status",
                    value: $value,
                    closed: concat!(",status=\"", $value, "\"} "),
                    open: concat!(",status=\"", $value, "\","),
                }
            }
        };
    }
    match outcome {
        Outcome::Success => label!("success"),
        Outcome::Error => label!("error"),
        Outcome::Panic => label!("panic"),
        Outcome::Cancelled => label!("cancelled"),
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
        let histogram = self.failed[outcome as usize - 1].get_or_init(|| match outcome {
            Outcome::Panic | Outcome::Cancelled => Histogram::unstriped(self.buckets),
            Outcome::Success | Outcome::Error => Histogram::new(self.buckets),
        });
        histogram.record(Stripe::of_this_thread(), nanos);
    }

    /// Records how long a stream took to yield its first item.
    pub(crate) fn first_item(&self, nanos: u64) {
        let histogram = self.first_item.get_or_init(|| Histogram::new(self.buckets));
        histogram.record(Stripe::of_this_thread(), nanos);
    }

    /// See [`Cells::fetch`](super::shard::Cells::fetch).
    fn fetch(&self) -> u64 {
        Outcome::ALL
            .into_iter()
            .filter_map(|outcome| self.ended(outcome))
            .fold(0, |seen, histogram| seen | histogram.fetch())
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
    /// For each series and each outcome by name, what the histogram held.
    words: Vec<u64>,
    /// How many words that is.
    words_each: usize,
    /// For each series.
    running: Vec<u64>,
}

/// How many series ahead of the one that is read.
const FETCHED_AHEAD: usize = 4;

impl Readings {
    pub(super) fn of(series: Vec<&'static CallSeries>) -> Self {
        let words_each = series.first().map_or(1, |series| series.buckets.words());
        let mut words = vec![0; series.len() * Outcome::BY_NAME.len() * words_each];
        let mut readings = words.chunks_mut(words_each);
        let mut ahead = series.iter().skip(FETCHED_AHEAD);
        let running = series.iter().map(|series| {
            std::hint::black_box(ahead.next().map(|series| series.fetch()));
            let ended: u64 = Outcome::BY_NAME
                .into_iter()
                .zip(&mut readings)
                .filter_map(|(outcome, words)| Some(series.ended(outcome)?.read_into(words)))
                .sum();
            // Read after the ends: whatever has ended has started, so the difference is never negative.
            series.success.beside().saturating_sub(ended)
        });
        let running = running.collect();
        Self { series, words, words_each, running }
    }

    /// Each series with what it held of each outcome.
    fn by_status(&self) -> impl Iterator<Item = (&'static CallSeries, &'static ExtraLabel, Reading<'_>)> {
        let keys = self.series.iter().flat_map(|series| Outcome::BY_NAME.map(|outcome| (*series, outcome)));
        keys.zip(self.words.chunks(self.words_each)).map(|((series, outcome), words)| {
            (series, status(outcome), Reading { buckets: series.buckets, words })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_label_says_the_outcome() {
        for outcome in Outcome::ALL {
            let ExtraLabel { name, value, closed, open } = status(outcome);
            assert_eq!(*value, outcome.as_str());
            assert_eq!(*closed, format!(",{name}=\"{value}\"}} "));
            assert_eq!(*open, format!(",{name}=\"{value}\","));
        }
    }
}
