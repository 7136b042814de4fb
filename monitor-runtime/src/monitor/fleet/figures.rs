//! The figures of an instance, and their sums. Only counts are added; a quantile, a rate or a part is made of the sum.

use crate::families::Outcome;
use crate::families::readings::{OUTCOMES, quantile};
use crate::run::Overall;

/// What the agents of an instance did.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::monitor) struct Figures {
    /// Calls in flight.
    pub(in crate::monitor) running: u64,
    /// Ended calls since the start of the process.
    pub(in crate::monitor) ended: [u64; OUTCOMES],
    pub(in crate::monitor) minute_seconds: u64,
    pub(in crate::monitor) minute_ended: u64,
    /// The seconds of all that follows.
    pub(in crate::monitor) seconds: u64,
    pub(in crate::monitor) recent: [u64; OUTCOMES],
    pub(in crate::monitor) durations: Durations,
    pub(in crate::monitor) spent: Spent,
}

/// Calls by duration.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::monitor) struct Durations {
    /// The upper bounds in microseconds, without `+Inf`.
    pub(in crate::monitor) bounds: Vec<u64>,
    /// Calls up to each bound, `+Inf` last.
    pub(in crate::monitor) counts: Vec<u64>,
}

/// What model calls cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::monitor) struct Spent {
    pub(in crate::monitor) nanos: u64,
    /// Model calls with a price, and all of them.
    pub(in crate::monitor) priced: u64,
    pub(in crate::monitor) of: u64,
}

impl Figures {
    /// The figures of this process.
    pub(in crate::monitor) fn of(overall: Overall) -> Self {
        let [priced, of] = overall.priced;
        Self {
            running: overall.running,
            ended: overall.ended,
            minute_seconds: overall.minute_seconds,
            minute_ended: overall.minute_ended,
            seconds: overall.seconds,
            recent: overall.recent,
            durations: Durations {
                bounds: overall.bounds.iter().map(|seconds| whole(seconds * 1e6)).collect(),
                counts: overall.durations,
            },
            spent: Spent { nanos: overall.cost, priced, of },
        }
    }

    /// Adds those of another instance. The longest time counts, since an instance that is younger did nothing before.
    pub(in crate::monitor) fn add(&mut self, other: &Self) {
        self.running += other.running;
        sum(&mut self.ended, &other.ended);
        self.minute_seconds = self.minute_seconds.max(other.minute_seconds);
        self.minute_ended += other.minute_ended;
        self.seconds = self.seconds.max(other.seconds);
        sum(&mut self.recent, &other.recent);
        self.durations.add(&other.durations);
        self.spent.nanos += other.spent.nanos;
        self.spent.priced += other.spent.priced;
        self.spent.of += other.spent.of;
    }

    /// Ended calls a second over the last minute.
    pub(in crate::monitor) fn calls_per_s(&self) -> Option<f64> {
        (self.minute_seconds > 0).then(|| self.minute_ended as f64 / self.minute_seconds as f64)
    }

    /// The part of the calls of the last five minutes that failed.
    pub(in crate::monitor) fn error_ratio(&self) -> Option<f64> {
        let total: u64 = self.recent.iter().sum();
        let failed = self.recent[Outcome::Error as usize] + self.recent[Outcome::Panic as usize];
        (total > 0).then(|| failed as f64 / total as f64)
    }

    /// The 95th percentile of the last five minutes in microseconds.
    pub(in crate::monitor) fn p95_us(&self) -> Option<u64> {
        let bounds: Vec<_> = self.durations.bounds.iter().map(|bound| *bound as f64).collect();
        quantile(0.95, &bounds, &self.durations.counts).map(whole)
    }

    /// What an hour costs at the pace of the last five minutes; `None` without model calls.
    pub(in crate::monitor) fn spent_an_hour(&self) -> Option<Spent> {
        let spent = self.spent;
        (spent.of > 0 && self.seconds > 0)
            .then(|| Spent { nanos: whole(spent.nanos as f64 * 3_600.0 / self.seconds as f64), ..spent })
    }
}

impl Durations {
    /// Adds the counts of the same bounds. Counts of different bounds have no sum, nor has anything that is added to it.
    fn add(&mut self, other: &Self) {
        if self.counts.is_empty() && self.bounds.is_empty() {
            self.clone_from(other);
        } else if self.bounds == other.bounds && self.counts.len() == other.counts.len() {
            self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        } else if !other.counts.is_empty() {
            self.counts.clear();
        }
    }
}

fn sum(counts: &mut [u64; OUTCOMES], others: &[u64; OUTCOMES]) {
    counts.iter_mut().zip(others).for_each(|(sum, count)| *sum += count);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations and money are positive"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(fast: u64, slow: u64, seconds: u64) -> Figures {
        Figures {
            running: 1,
            ended: [fast, slow, 0, 0],
            minute_seconds: seconds.min(60),
            minute_ended: fast,
            seconds,
            recent: [fast, slow, 0, 0],
            durations: Durations {
                bounds: vec![1_000, 2_000_000],
                counts: vec![fast, fast + slow, fast + slow],
            },
            spent: Spent { nanos: 5 * fast, priced: fast, of: fast + slow },
        }
    }

    #[test]
    fn a_figure_of_a_sum_is_made_of_counts() {
        let (busy, slow) = (figures(990, 10, 300), figures(0, 10, 30));
        let mut sum = busy.clone();
        sum.add(&slow);
        assert_eq!((sum.running, sum.ended, sum.seconds), (2, [990, 20, 0, 0], 300));
        // The quantile of all calls; the average of both quantiles would be beyond a second.
        assert_eq!((busy.p95_us().unwrap() < 1_000, slow.p95_us().unwrap() > 1_000_000), (true, true));
        assert!(sum.p95_us().unwrap() < 1_000, "{:?}", sum.p95_us());
        assert_eq!(sum.error_ratio(), Some(20.0 / 1_010.0));
        assert_eq!(sum.calls_per_s(), Some(990.0 / 60.0));
        assert_eq!(sum.spent_an_hour(), Some(Spent { nanos: 4_950 * 12, priced: 990, of: 1_010 }));
    }

    #[test]
    fn nothing_is_unknown_and_not_zero() {
        let none = Figures::default();
        assert_eq!((none.calls_per_s(), none.error_ratio(), none.p95_us()), (None, None, None));
        assert_eq!(none.spent_an_hour(), None);
    }

    #[test]
    fn buckets_of_other_bounds_have_no_sum() {
        let mut sum = figures(10, 0, 60);
        let other = Durations { bounds: vec![5], counts: vec![1, 1] };
        sum.add(&Figures { durations: other, ..figures(1, 0, 60) });
        assert_eq!((sum.p95_us(), sum.ended[0]), (None, 11));
        sum.add(&figures(10, 0, 60));
        assert_eq!(sum.p95_us(), None);
    }
}
