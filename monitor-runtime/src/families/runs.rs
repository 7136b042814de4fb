//! Counts about runs: the calls inside each, and budgets, repeats and retries.
//!
//! Only a recorder of runs, or an agent with a budget, knows which call is inside which run. Without them these metrics
//! are not shown.

use std::rc::Rc;

use crate::cells::buckets::Buckets;
use crate::cells::histogram::{Histogram, HistogramSnapshot};
use crate::cells::index::Series;
use crate::cells::labels::Labels;
use crate::cells::native::NativeCounts;
use crate::cells::stripes::Stripe;
use crate::families::catalog::{self, Metric};
use crate::families::counters::Counters;
use crate::families::family::{Family, Found};
use crate::families::snapshot::{MetricSnapshot, Sample, Sink};

/// Doubling, with a bucket for runs without any call.
const CALLS_BUCKETS: [f64; 9] = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// A histogram keeps billionths, as it does of seconds.
const ONE: u64 = 1_000_000_000;

static CALLS: Family<RunSeries> =
    Family::new(&catalog::AGENT_MODEL_CALLS, catalog::AGENT_MODEL_CALLS.labels, &CALLS_BUCKETS);

static EXCEEDED: Counters = Counters::new(&catalog::AGENT_BUDGET_EXCEEDED);
static REPEATS: Counters = Counters::new(&catalog::SKILL_REPEATS);
static RETRIES: Counters = Counters::new(&catalog::SKILL_RETRIES);
static LOST: Counters = Counters::new(&catalog::RUN_RECORDS_LOST);

static COUNTERS: [&Counters; 4] = [&EXCEEDED, &REPEATS, &RETRIES, &LOST];

/// All metrics of this file.
pub(crate) fn all() -> impl Iterator<Item = &'static Metric> {
    let counters = COUNTERS.into_iter().map(|counters| counters.metric);
    [&catalog::AGENT_MODEL_CALLS, &catalog::AGENT_SKILL_CALLS].into_iter().chain(counters)
}

/// Counts the calls inside a run that ended, by its outermost agent.
pub(crate) fn observe(agent: &str, model_calls: u32, skill_calls: u32) {
    let (Found::Own(series) | Found::Overflow(series)) = CALLS.find(&[agent]);
    for (histogram, calls) in [(&series.models, model_calls), (&series.skills, skill_calls)] {
        histogram.record_fully(Stripe::of_this_thread(), u64::from(calls) * ONE);
    }
}

/// Counts a budget that was passed.
pub(crate) fn count_exceeded(agent: &str, limit: &str) {
    EXCEEDED.count(&[agent, limit]);
}

/// Counts a call of a skill with the arguments of earlier ones.
pub(crate) fn count_repeat(skill: &str) {
    REPEATS.count(&[skill]);
}

/// Counts a further attempt of a skill.
pub(crate) fn count_retry(skill: &str) {
    RETRIES.count(&[skill]);
}

/// Counts runs and events for which the recorder had no room. From the first time on both are shown, so that `rate()` sees the
/// first loss.
pub(crate) fn count_lost([runs, events]: [u64; 2]) {
    LOST.add(&["run"], runs);
    LOST.add(&["event"], events);
}

/// Shows the model calls and the skill calls inside the runs of each agent.
#[cfg(feature = "otlp")]
pub(crate) fn each(mut show: impl FnMut(&'static Labels, [&'static Histogram; 2])) {
    CALLS.sorted().into_iter().for_each(|series| show(&series.labels, [&series.models, &series.skills]));
}

/// Takes a snapshot of every metric that has counted something.
pub(crate) fn read() -> Vec<MetricSnapshot> {
    let series = CALLS.sorted();
    let mut shown = Vec::new();
    if !series.is_empty() {
        let models = series.iter().map(|series| HistogramWords::read(&series.labels, &series.models));
        shown.push(snapshot(&catalog::AGENT_MODEL_CALLS, models.collect()));
        let skills = series.iter().map(|series| HistogramWords::read(&series.labels, &series.skills));
        shown.push(snapshot(&catalog::AGENT_SKILL_CALLS, skills.collect()));
    }
    shown.extend(COUNTERS.into_iter().filter_map(Counters::read));
    shown
}

fn snapshot(metric: &'static Metric, read: Vec<HistogramWords>) -> MetricSnapshot {
    let show = |read: &Vec<HistogramWords>, sink: &mut dyn Sink| {
        for HistogramWords { labels, buckets, words, fine } in read {
            sink.push(labels, None, Sample::Histogram(HistogramSnapshot::new(buckets, words, fine)));
        }
    };
    MetricSnapshot::new(metric, Rc::new(read), show)
}

/// The numbers of a histogram at one moment.
struct HistogramWords {
    labels: &'static Labels,
    buckets: &'static Buckets,
    words: Vec<u64>,
    fine: NativeCounts,
}

impl HistogramWords {
    fn read(labels: &'static Labels, histogram: &Histogram) -> Self {
        let buckets = histogram.buckets();
        let (mut words, mut fine) = (vec![0; buckets.words()], NativeCounts::new());
        histogram.read_into(&mut words, &mut fine);
        Self { labels, buckets, words, fine }
    }
}

/// The calls inside the runs of one agent. Runs are rare, so one stripe is enough.
struct RunSeries {
    labels: Labels,
    models: Histogram,
    skills: Histogram,
}

impl Series for RunSeries {
    fn new(labels: Labels, buckets: &'static Buckets) -> Self {
        Self { labels, models: Histogram::unstriped(buckets), skills: Histogram::unstriped(buckets) }
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_in_whole_numbers_from_none_on() {
        for calls in [0, 1, 3, 128, 129] {
            observe("runs_family", calls, 0);
        }
        let (Found::Own(series) | Found::Overflow(series)) = CALLS.find(&["runs_family"]);
        series.models.read(|read| {
            assert_eq!(read.cumulative(), [1, 2, 2, 3, 3, 3, 3, 3, 4, 5]);
            assert_eq!(read.sum_nanos(), 261 * ONE);
        });
        series.skills.read(|read| assert_eq!(read.cumulative()[0], 5));
    }
}
