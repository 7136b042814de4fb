//! The state of a check.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::policy::{Rules, Severity};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    TimedOut,
    Panicked,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::TimedOut, Self::Panicked];

    /// The value of the label `outcome`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
        }
    }
}

/// The result of the last run.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// Whether the run passed with a warning.
    pub(crate) is_warning: bool,
    pub(crate) message: Cow<'static, str>,
    /// The duration of the run, or its timeout.
    pub(crate) latency: Duration,
    /// When the run ended, by the system's clock instead of the runtime's: readers may be on another runtime, or on one
    /// with paused time.
    pub(crate) at: Instant,
}

/// Whether a check counts as healthy, and how many runs in a row passed or failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hysteresis {
    pub(crate) healthy: bool,
    passed: u32,
    failed: u32,
    /// Whether there has been a verdict. The first runs may pass without reaching the threshold.
    judged: bool,
}

impl Hysteresis {
    /// The state after one more run.
    pub(crate) fn after(self, outcome: Outcome, rules: &Rules) -> Self {
        let (passed, failed) = match outcome {
            Outcome::Passed => (self.passed.saturating_add(1), 0),
            _ => (0, self.failed.saturating_add(1)),
        };
        let healthy =
            if self.healthy { failed < rules.failure_threshold } else { passed >= rules.success_threshold };
        Self { healthy, passed, failed, judged: self.judged || healthy || failed > 0 }
    }

    /// The status of a check whose last result is not stale.
    pub(crate) fn status(self, is_warning: bool) -> Status {
        match (self.healthy, self.judged) {
            (true, _) if is_warning => Status::Degraded,
            (true, _) => Status::Healthy,
            (false, true) => Status::Unhealthy,
            (false, false) => Status::Pending,
        }
    }

    /// Adds the count to the message while a threshold has not been reached.
    pub(crate) fn explain(self, message: Cow<'static, str>, rules: &Rules) -> Cow<'static, str> {
        match (self.healthy, self.failed, self.passed) {
            (true, failed @ 1.., _) => {
                format!("{message} (failed {failed} of {})", rules.failure_threshold).into()
            }
            (false, _, passed @ 1..) => {
                format!("{message} (passed {passed} of {})", rules.success_threshold).into()
            }
            _ => message,
        }
    }
}

/// The state of a check, published as one immutable value, so that a probe never waits.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) last: Option<Reading>,
    pub(crate) hysteresis: Hysteresis,
    /// The deadline of a run in progress without a verdict.
    pub(crate) due: Option<Instant>,
    /// Whether any run has passed; it is never reset.
    pub(crate) passed_once: bool,
}

impl Snapshot {
    /// Whether a run has missed its deadline without a verdict yet.
    ///
    /// Probes compare the deadline with the clock themselves, so it holds even if a stalled runtime fires no timers.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| now >= due)
    }
}

/// The status of a check, as observers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// There is no result yet, or too few runs have passed.
    Pending,
    Healthy,
    /// Healthy with a warning.
    Degraded,
    Unhealthy,
    /// The last result is too old.
    Stale,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Stale => "stale",
        }
    }

    pub(crate) const fn is_healthy(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

/// A check, as the body of an answer shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View<'a> {
    pub(crate) name: &'a str,
    pub(crate) status: Status,
    pub(crate) severity: Severity,
    pub(crate) message: Cow<'static, str>,
    /// `None` before the first run has ended.
    pub(crate) latency: Option<Duration>,
    /// The age of the last result; `None` without one.
    pub(crate) age: Option<Duration>,
}

impl View<'_> {
    /// Whether this check allows readiness to answer 200.
    pub(crate) fn allows_ready(&self) -> bool {
        self.status.is_healthy() || self.severity == Severity::NonCritical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(failure_threshold: u32, success_threshold: u32) -> Rules {
        let second = Duration::from_secs(1);
        Rules {
            severity: Severity::Critical,
            interval: second,
            timeout: second,
            failure_threshold,
            success_threshold,
        }
    }

    /// The states of a new check after each of these runs.
    fn turns(rules: &Rules, runs: &[bool]) -> Vec<bool> {
        let mut hysteresis = Hysteresis::default();
        let after = |&passed: &bool| {
            let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
            hysteresis = hysteresis.after(outcome, rules);
            hysteresis.healthy
        };
        runs.iter().map(after).collect()
    }

    #[test]
    fn a_check_that_has_only_begun_to_pass_has_not_failed() {
        let begun = Hysteresis::default().after(Outcome::Passed, &rules(1, 2));
        assert_eq!(begun.status(false), Status::Pending);
        assert_eq!(begun.after(Outcome::Passed, &rules(1, 2)).status(true), Status::Degraded);
        let failed = begun.after(Outcome::Failed, &rules(1, 2));
        assert_eq!(failed.after(Outcome::Passed, &rules(1, 2)).status(false), Status::Unhealthy);
    }

    #[test]
    fn with_thresholds_of_one_every_run_decides() {
        assert_eq!(turns(&rules(1, 1), &[true, false, true, false]), [true, false, true, false]);
    }

    #[test]
    fn both_edges_take_as_many_runs_in_a_row_as_they_are_set_to() {
        let runs = [true, true, false, false, true, false, false, false, true, false, true, true];
        assert_eq!(
            turns(&rules(3, 2), &runs),
            [false, true, true, true, true, true, true, false, false, false, false, true]
        );
    }

    #[test]
    fn a_run_that_turns_nothing_says_how_far_it_got() {
        let rules = rules(3, 2);
        let hysteresis = Hysteresis::default().after(Outcome::Passed, &rules);
        assert_eq!(hysteresis.explain("up".into(), &rules), "up (passed 1 of 2)");
        let hysteresis = hysteresis.after(Outcome::Passed, &rules);
        assert_eq!(hysteresis.explain("up".into(), &rules), "up");
        let hysteresis = hysteresis.after(Outcome::TimedOut, &rules);
        assert_eq!(hysteresis.explain("down".into(), &rules), "down (failed 1 of 3)");
    }
}
