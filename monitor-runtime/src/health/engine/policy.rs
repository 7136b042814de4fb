//! How a check is run, and what its verdict weighs.

use std::time::Duration;

/// What an unhealthy check means for readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Readiness answers 503.
    Critical,
    /// It is reported, and readiness stays as it is.
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

/// How a monitor runs one check, and what an unhealthy check means for readiness.
///
/// Given with the check to [`MonitorBuilder::check_with`](crate::MonitorBuilder::check_with). A check that is added without
/// one is critical, turns with its first run either way, has the interval of the monitor and a timeout of its own.
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
    /// Begins the policy of a check without which the service cannot work: readiness is 503 while it is unhealthy.
    pub fn critical() -> Self {
        Self::of(Severity::Critical)
    }

    /// Begins the policy of a check that the service can do without: it is reported as unhealthy, and neither readiness nor
    /// start-up wait for it.
    pub fn non_critical() -> Self {
        Self::of(Severity::NonCritical)
    }

    fn of(severity: Severity) -> Self {
        Self { severity, interval: None, timeout: None, failure_threshold: 1, success_threshold: 1 }
    }

    /// Sets the pause between two runs, give or take a tenth; the monitor's `check_interval` when not set, and more
    /// than zero. It begins when a run has ended, so it may be shorter than the timeout.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets how long a run may take, in place of the check's own timeout; more than zero.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets how many runs in a row must fail before a healthy check is unhealthy; 1 when not set, and at least 1.
    pub fn failure_threshold(mut self, runs: u32) -> Self {
        self.failure_threshold = runs;
        self
    }

    /// Sets how many runs in a row must pass before a check that is not healthy, be it because it has only begun, is
    /// healthy; 1 when not set, and at least 1.
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

/// A policy with every gap filled.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) severity: Severity,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
}

impl Rules {
    /// The age at which a reading says nothing any more: three intervals missed, and the longest a run in between may
    /// have taken.
    pub(crate) fn stale_after(&self) -> Duration {
        self.interval.saturating_mul(3).saturating_add(self.timeout)
    }

    /// The interval, give or take a tenth, so that instances which started together do not go on asking together.
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
