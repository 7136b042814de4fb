//! The numbers of each id at one moment, for readers that want figures and no exposition.

use std::collections::BTreeMap;

use crate::cells::buckets::FIRST_BUCKET;
use crate::cells::labels::Labels;
use crate::cells::native::NativeCounts;
use crate::cells::objective::Objective;
use crate::families::Outcome;
use crate::families::calls::CallKind;
use crate::families::models;
use crate::families::requests;

/// A kind of thing that is counted by id: a tracked call, or the requests of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CountedKind {
    Call(CallKind),
    Route,
}

/// The numbers of the calls under one id.
pub(crate) struct Reading<'r> {
    pub(crate) labels: &'static Labels,
    /// The upper bounds of the buckets in seconds, without `+Inf`.
    pub(crate) bounds: &'static [f64],
    pub(crate) objective: Option<&'static Objective>,
    /// Calls in flight.
    pub(crate) running: u64,
    /// Ended calls by [`Outcome`]. A request with a status from 500 on is an error, and every other one a success.
    pub(crate) ended: [u64; OUTCOMES],
    /// Ended calls up to each bound, `+Inf` last.
    pub(crate) all: &'r [u64],
    /// Calls that succeeded, up to each bound. Of a route, all requests.
    pub(crate) succeeded: &'r [u64],
    /// What only models have.
    pub(crate) model: Option<ModelReading<'r>>,
}

/// The numbers of a model's streams and replies.
#[derive(Clone, Copy)]
pub(crate) struct ModelReading<'r> {
    /// Streamed replies by the time to their first chunk, up to each bound, `+Inf` last.
    pub(crate) first_chunks: &'r [u64],
    /// Output tokens of all calls; `None` if no call has reported any.
    pub(crate) output: Option<u64>,
}

/// The number of outcomes.
pub(crate) const OUTCOMES: usize = Outcome::ALL.len();

/// The decades of durations: below 10 ms, below 100 ms, … from 1,000 s on.
pub(crate) const DECADES: usize = 7;

/// The limits between decades, in seconds.
const DECADE_LIMITS: [f64; DECADES - 1] = [0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0];

impl CountedKind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Call(CallKind::Agent),
        Self::Call(CallKind::Skill),
        Self::Call(CallKind::Model),
        Self::Call(CallKind::Query),
        Self::Route,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Call(CallKind::Agent) => "agent",
            Self::Call(CallKind::Skill) => "skill",
            Self::Call(CallKind::Model) => "model",
            Self::Call(CallKind::Query) => "query",
            Self::Route => "route",
        }
    }

    /// The name of an id of this kind, and its operation, provider or method.
    pub(crate) fn names(self, labels: &Labels) -> (&str, Option<&str>) {
        let [first, second] = labels.first_values();
        match self {
            Self::Call(CallKind::Agent | CallKind::Skill) => (first, None),
            _ => (second, Some(first)),
        }
    }

    /// Reads every id of this kind, sorted by labels.
    pub(crate) fn each(self, look: &mut dyn FnMut(&Reading<'_>)) {
        match self {
            Self::Call(kind) => each_call(kind, look),
            Self::Route => each_route(look),
        }
    }
}

fn each_call(kind: CallKind, look: &mut dyn FnMut(&Reading<'_>)) {
    let (mut words, mut fine) = (Vec::new(), NativeCounts::new());
    let [mut all, mut succeeded, mut first_chunks] = [Vec::new(), Vec::new(), Vec::new()];
    let output = if kind == CallKind::Model { models::output_by_model() } else { BTreeMap::new() };
    for series in kind.family().series.sorted() {
        let buckets = series.buckets;
        let shown = buckets.bounds().len();
        for counts in [&mut all, &mut succeeded, &mut first_chunks] {
            counts.clear();
            counts.resize(shown, 0);
        }
        let mut ended = [0; OUTCOMES];
        for outcome in Outcome::ALL {
            let Some(histogram) = series.ended(outcome) else { continue };
            words.clear();
            words.resize(buckets.words(), 0);
            fine.clear();
            ended[outcome as usize] = histogram.read_into(&mut words, &mut fine);
            let counts = words.iter().skip(FIRST_BUCKET);
            all.iter_mut().zip(counts.clone()).for_each(|(sum, count)| *sum += count);
            if outcome == Outcome::Success {
                succeeded.iter_mut().zip(counts).for_each(|(sum, count)| *sum = *count);
            }
        }
        if let Some(histogram) = series.first_item.get().filter(|_| kind == CallKind::Model) {
            words.clear();
            words.resize(buckets.words(), 0);
            fine.clear();
            histogram.read_into(&mut words, &mut fine);
            let counts = words.iter().skip(FIRST_BUCKET);
            first_chunks.iter_mut().zip(counts).for_each(|(sum, count)| *sum = *count);
        }
        let output = output.get(&series.labels.first_values::<2>()).copied();
        let model = (kind == CallKind::Model).then_some(ModelReading { first_chunks: &first_chunks, output });
        // Starts are read after ends, so the difference is never negative.
        let running = series.success.started().saturating_sub(ended.iter().sum());
        let (labels, bounds, objective) = (&series.labels, buckets.seconds(), buckets.objective());
        look(&Reading { labels, bounds, objective, running, ended, all: &all, succeeded: &succeeded, model });
    }
}

fn each_route(look: &mut dyn FnMut(&Reading<'_>)) {
    let metrics = requests::metrics();
    let counts = metrics.requests.sorted();
    for series in metrics.durations.sorted() {
        let route: [&str; 2] = series.labels.first_values();
        let statuses = counts.iter().filter(|counts| counts.labels.first_values() == route);
        let failed: u64 =
            statuses.filter(|counts| counts.is_of_failures()).map(|counts| counts.count.sum(0)).sum();
        series.histogram.read(|reading| {
            let all = reading.cumulative();
            let total = reading.count();
            let mut ended = [0; OUTCOMES];
            // Statuses are counted before durations, but read after another thread may have counted both.
            ended[Outcome::Error as usize] = failed.min(total);
            ended[Outcome::Success as usize] = total - failed.min(total);
            let running = series.histogram.started().saturating_sub(total);
            let (labels, bounds) = (&series.labels, series.buckets.seconds());
            look(&Reading {
                labels,
                bounds,
                objective: None,
                running,
                ended,
                all,
                succeeded: all,
                model: None,
            });
        });
    }
}

/// The value below which this part of the counted calls lies, interpolated inside its bucket as Prometheus does. `counts`
/// are cumulative, `+Inf` last. `None` without calls.
pub(crate) fn quantile(part: f64, bounds: &[f64], counts: &[u64]) -> Option<f64> {
    let total = counts.last().copied().filter(|total| *total > 0)?;
    let rank = part * total as f64;
    let at = counts.iter().position(|count| *count as f64 >= rank)?;
    let Some(upper) = bounds.get(at) else { return bounds.last().copied() };
    let (lower, below) = at.checked_sub(1).map_or((0.0, 0), |before| (bounds[before], counts[before]));
    let inside = (counts[at] - below) as f64;
    Some(if inside > 0.0 { lower + (upper - lower) * ((rank - below as f64) / inside) } else { *upper })
}

/// Splits counted calls by decade. A limit inside a bucket is interpolated; calls beyond the last bound are in the decade of
/// that bound.
pub(crate) fn by_decade(bounds: &[f64], counts: &[u64]) -> [u64; DECADES] {
    let total = counts.last().copied().unwrap_or(0);
    let mut before = 0;
    let mut decades = [0; DECADES];
    let limits = DECADE_LIMITS.iter().map(|limit| up_to(*limit, bounds, counts)).chain([total]);
    for (decade, up_to) in decades.iter_mut().zip(limits) {
        let up_to = up_to.max(before);
        *decade = up_to - before;
        before = up_to;
    }
    decades
}

/// The number of calls up to a limit.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a count of calls is not negative and fits"
)]
fn up_to(limit: f64, bounds: &[f64], counts: &[u64]) -> u64 {
    let at = bounds.partition_point(|bound| *bound < limit);
    let Some(upper) = bounds.get(at) else { return counts.last().copied().unwrap_or(0) };
    let (lower, below) = at.checked_sub(1).map_or((0.0, 0), |before| (bounds[before], counts[before]));
    let part = (limit - lower) / (upper - lower);
    below + ((counts[at] - below) as f64 * part).round() as u64
}

/// The decade of a duration.
pub(crate) fn decade_of(duration: std::time::Duration) -> usize {
    let limits = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
    limits.iter().filter(|limit| duration.as_millis() >= **limit).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BOUNDS: [f64; 4] = [0.005, 0.01, 0.5, 2.0];

    #[test]
    fn a_quantile_is_interpolated_in_its_bucket() {
        let counts = [0, 10, 20, 20, 20];
        assert_eq!(quantile(0.5, &BOUNDS, &counts), Some(0.01));
        assert_eq!(quantile(0.25, &BOUNDS, &counts), Some(0.0075));
        assert!((quantile(0.75, &BOUNDS, &counts).unwrap() - 0.255).abs() < 1e-9);
        assert_eq!(quantile(0.99, &BOUNDS, &[0, 0, 0, 0, 3]), Some(2.0));
        assert_eq!(quantile(0.5, &BOUNDS, &[0; 5]), None);
    }

    #[test]
    fn every_call_is_in_one_decade() {
        assert_eq!(by_decade(&BOUNDS, &[1, 3, 3, 7, 9]), [3, 0, 1, 5, 0, 0, 0]);
        assert_eq!(by_decade(&[1.0], &[2, 2]), [0, 0, 2, 0, 0, 0, 0]);
        assert_eq!(by_decade(&[], &[]), [0; DECADES]);
    }

    #[test]
    fn a_duration_on_a_limit_is_in_the_decade_above() {
        let decades = [9, 10, 999, 1_000, 1_000_000].map(Duration::from_millis).map(decade_of);
        assert_eq!(decades, [0, 1, 2, 3, 6]);
    }
}
