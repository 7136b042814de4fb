//! The policy of a check: how it runs, and what its result means.

use std::time::Duration;

/// The effect of an unhealthy check on readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Readiness answers 503.
    Critical,
    /// Readiness is unaffected; the check is only reported.
    NonCritical,
}

impl Severity {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::NonCritical => "non_critical",
        }
    }
}

/// How a monitor runs a check, and what an unhealthy result means for readiness.
///
/// Pass it with the check to [`MonitorBuilder::check_with`](crate::MonitorBuilder::check_with). A check added without a
/// policy is critical, changes its state with each run, and has the monitor's interval and its own timeout.
///
/// ```
/// use std::time::Duration;
///
/// use monitor_runtime::Monitor;
/// use monitor_runtime::health::{CheckError, Policy, check_fn};
///
/// let search = check_fn("search", async || Ok::<_, CheckError>(()));
/// let policy = Policy::non_critical().interval(Duration::from_secs(30)).failure_threshold(3);
/// let monitor = Monitor::builder().check_with(policy, search).build()?;
/// # Ok::<(), monitor_runtime::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) severity: Severity,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
}

impl Policy {
    /// Creates the policy of a check that the service depends on: readiness is 503 while it is unhealthy.
    pub fn critical() -> Self {
        Self::of(Severity::Critical)
    }

    /// Creates the policy of a check that the service can work without: it is reported as unhealthy, but affects
    /// neither readiness nor startup.
    pub fn non_critical() -> Self {
        Self::of(Severity::NonCritical)
    }

    fn of(severity: Severity) -> Self {
        Self { severity, interval: None, timeout: None, failure_threshold: 1, success_threshold: 1 }
    }

    /// Sets the pause between two runs, varied by up to a tenth; more than zero (default: the monitor's
    /// `check_interval`). The pause begins after a run, so it may be shorter than the timeout.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets the deadline of a run, more than zero (default: the check's own timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many runs in a row must fail before a healthy check becomes unhealthy, at least 1 (default 1).
    pub fn failure_threshold(mut self, runs: u32) -> Self {
        self.failure_threshold = runs;
        self
    }

    /// Sets how many runs in a row must pass before a new or unhealthy check becomes healthy, at least 1 (default 1).
    pub fn success_threshold(mut self, runs: u32) -> Self {
        self.success_threshold = runs;
        self
    }
}

impl Default for Policy {
    /// [`Policy::critical`].
    fn default() -> Self {
        Self::critical()
    }
}

/// A policy with all defaults filled in.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) severity: Severity,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
}

impl Rules {
    /// The age at which a result is stale: three intervals plus the timeout, since a run may take that long.
    pub(crate) fn stale_after(&self) -> Duration {
        self.interval.saturating_mul(3).saturating_add(self.timeout)
    }

    /// The interval, varied by up to a tenth, so that instances that started together do not keep running checks
    /// together.
    pub(crate) fn pause(&self) -> Duration {
        let tenth = self.interval / 10;
        let spread = u64::try_from(tenth.saturating_mul(2).as_nanos()).unwrap_or(u64::MAX);
        self.interval.saturating_sub(tenth).saturating_add(Duration::from_nanos(fastrand::u64(0..=spread)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(interval: Duration) -> Rules {
        let timeout = Duration::from_secs(5);
        Rules { severity: Severity::Critical, interval, timeout, failure_threshold: 1, success_threshold: 1 }
    }

    #[test]
    fn pauses_differ_and_stay_within_a_tenth_of_the_interval() {
        let rules = every(Duration::from_secs(2));
        let pauses: Vec<_> = (0..100).map(|_| rules.pause()).collect();
        let within = Duration::from_millis(1_800)..=Duration::from_millis(2_200);
        assert!(pauses.iter().all(|pause| within.contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }

    #[test]
    fn the_longest_and_the_shortest_interval_make_pauses_too() {
        every(Duration::MAX).pause();
        assert_eq!(every(Duration::from_nanos(1)).pause(), Duration::from_nanos(1));
        assert_eq!(every(Duration::MAX).stale_after(), Duration::MAX);
    }
}
