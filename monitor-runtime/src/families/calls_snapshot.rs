//! A snapshot of the series of calls, and how each metric shows it.

use crate::cells::histogram::HistogramSnapshot;
use crate::cells::labels::Labels;
use crate::cells::native::NativeCounts;
use crate::cells::objective::Objective;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;
use crate::families::call_series::FIRST_ITEM;
use crate::families::snapshot::{ExtraLabel, Sample, Sink};

/// A snapshot of all series of a family.
///
/// ```text
/// words      │ series 0: cancelled, error, panic, success │ series 1: … │      words_each for each outcome
/// fine       │ native cells of series 0, cancelled │ … error │ …            fine_ends has the end of each
/// ```
pub(crate) struct CallsSnapshot {
    series: Vec<&'static CallSeries>,
    /// The histogram's words for each series and outcome, outcomes sorted by name.
    words: Vec<u64>,
    /// The number of words of one histogram.
    words_each: usize,
    /// The cells of native histograms, in the same order, and the end of each histogram's part; empty if none are kept.
    fine: NativeCounts,
    fine_ends: Vec<usize>,
    /// The calls in flight of each series.
    running: Vec<u64>,
    /// The indices of the series with an objective.
    with_objective: Vec<usize>,
}

/// A series with an objective, and its successful calls.
pub(crate) struct WithObjective<'r> {
    pub(crate) labels: &'static Labels,
    pub(crate) objective: &'static Objective,
    pub(crate) succeeded: HistogramSnapshot<'r>,
}

impl CallsSnapshot {
    pub(crate) fn of(series: Vec<&'static CallSeries>) -> Self {
        let words_each = series.first().map_or(1, |series| series.buckets.words());
        let mut words = Vec::with_capacity(series.len() * Outcome::BY_NAME.len() * words_each);
        let (mut fine, mut fine_ends) =
            (NativeCounts::new(), Vec::with_capacity(series.len() * Outcome::BY_NAME.len()));
        let running = series.iter().map(|series| {
            let ended = Outcome::BY_NAME.map(|outcome| {
                let start = words.len();
                words.resize(start + words_each, 0);
                let histogram = series.ended(outcome);
                let ended =
                    histogram.map_or(0, |histogram| histogram.read_into(&mut words[start..], &mut fine));
                fine_ends.push(fine.len());
                ended
            });
            // Starts are read after ends, and every call that has ended has started, so the difference is never
            // negative.
            series.success.started().saturating_sub(ended.iter().sum())
        });
        let running = running.collect();
        let with_objective =
            series.iter().enumerate().filter(|(_, series)| series.buckets.objective().is_some());
        let with_objective = with_objective.map(|(at, _)| at).collect();
        Self { series, words, words_each, fine, fine_ends, running, with_objective }
    }

    /// The series with an objective.
    pub(crate) fn with_objective(&self) -> impl Iterator<Item = WithObjective<'_>> {
        let success = Outcome::BY_NAME.iter().position(|outcome| *outcome == Outcome::Success);
        let success = success.unwrap_or_default();
        self.with_objective.iter().filter_map(move |&at| {
            let series = self.series[at];
            let place = at * Outcome::BY_NAME.len() + success;
            let words = self.words.chunks(self.words_each).nth(place)?;
            let (labels, objective) = (&series.labels, series.buckets.objective()?);
            let succeeded = HistogramSnapshot::new(series.buckets, words, self.fine(place));
            Some(WithObjective { labels, objective, succeeded })
        })
    }

    fn fine(&self, place: usize) -> &[(usize, u64)] {
        let start = place.checked_sub(1).map_or(0, |before| self.fine_ends[before]);
        &self.fine[start..self.fine_ends[place]]
    }

    /// The series with calls in flight, and their number.
    pub(crate) fn in_flight(self) -> impl Iterator<Item = (&'static CallSeries, u64)> {
        self.series.into_iter().zip(self.running).filter(|(_, calls)| *calls > 0)
    }

    /// Each series and outcome, with its histogram.
    fn by_status(
        &self,
    ) -> impl Iterator<Item = (&'static CallSeries, &'static ExtraLabel, HistogramSnapshot<'_>)> {
        let keys = self.series.iter().flat_map(|series| Outcome::BY_NAME.map(|outcome| (*series, outcome)));
        keys.zip(self.words.chunks(self.words_each)).enumerate().map(|(place, ((series, outcome), words))| {
            let reading = HistogramSnapshot::new(series.buckets, words, self.fine(place));
            let reading = reading.with_exemplars(series.exemplars(outcome as usize));
            (series, status(outcome), reading)
        })
    }

    pub(crate) fn encode_totals(&self, sink: &mut dyn Sink) {
        for (series, status, reading) in self.by_status() {
            sink.push(&series.labels, Some(status), Sample::Counter(reading.count()));
        }
    }

    pub(crate) fn encode_durations(&self, sink: &mut dyn Sink) {
        for (series, status, reading) in self.by_status().filter(|(.., reading)| reading.count() > 0) {
            sink.push(&series.labels, Some(status), Sample::Histogram(reading));
        }
    }

    pub(crate) fn encode_active(&self, sink: &mut dyn Sink) {
        for (series, &running) in self.series.iter().zip(&self.running) {
            sink.push(&series.labels, None, Sample::Gauge(running));
        }
    }

    pub(crate) fn encode_first_items(&self, sink: &mut dyn Sink) {
        for series in &self.series {
            if let Some(histogram) = series.first_item.get() {
                histogram.read(|reading| {
                    let reading = reading.with_exemplars(series.exemplars(FIRST_ITEM));
                    sink.push(&series.labels, None, Sample::Histogram(reading));
                });
            }
        }
    }
}

/// The label `status` of an outcome.
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
