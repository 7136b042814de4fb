//! How long a process may take to stop.

use std::time::Duration;

use super::{BuildError, MonitorBuilder};

/// How long the last log lines may take where the output is stalled.
const LAST_LINES: Duration = Duration::from_secs(4);

/// What has to be left of the grace period for them.
const FEWEST_LEFT: Duration = Duration::from_secs(1);

/// The times of a stop, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    pub(super) drain_delay: Duration,
    pub(super) shutdown_timeout: Duration,
    grace_period: Duration,
}

impl Default for Stopping {
    /// Fits into the 30 seconds that Kubernetes and ECS grant a process, with some left for its last lines.
    fn default() -> Self {
        Self {
            drain_delay: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(20),
            grace_period: Duration::from_secs(30),
        }
    }
}

impl Stopping {
    pub(super) fn validate(self) -> Result<(), BuildError> {
        let Self { drain_delay, shutdown_timeout, grace_period } = self;
        if shutdown_timeout.is_zero() {
            return Err(BuildError::ZeroShutdownTimeout);
        }
        let left = grace_period.saturating_sub(drain_delay.saturating_add(shutdown_timeout));
        if left.is_zero() {
            return Err(BuildError::GracePeriod { drain_delay, shutdown_timeout, grace_period });
        }
        if left < FEWEST_LEFT {
            return Err(BuildError::LastLines { left, drain_delay, shutdown_timeout, grace_period });
        }
        Ok(())
    }

    /// How long the last stage may take, from what is said of the end to the drop of the log's guard.
    pub(super) fn last_lines(self) -> Duration {
        let left = self.grace_period.saturating_sub(self.drain_delay.saturating_add(self.shutdown_timeout));
        (left * 4 / 5).min(LAST_LINES)
    }
}

impl MonitorBuilder {
    /// Sets for how long [`serve`](crate::Monitor::serve) goes on as before once it is told to stop, while readiness
    /// answers 503 `draining`; 5 seconds when not set. Zero is allowed.
    ///
    /// In this time the orchestrator takes the process out of its load balancing. Who is still sent here meanwhile is
    /// served, and not refused.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.stopping.drain_delay = delay;
        self
    }

    /// Sets for how long [`serve`](crate::Monitor::serve), once it has stopped accepting, lets requests and tracked calls in
    /// flight finish; 20 seconds when not set, and more than zero.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.stopping.shutdown_timeout = timeout;
        self
    }

    /// Says how long the orchestrator waits between the signal to stop and the kill; 30 seconds when not set, as
    /// Kubernetes (`terminationGracePeriodSeconds`) and ECS (`stopTimeout`) have it.
    ///
    /// [`build`](Self::build) refuses a drain delay and a shutdown timeout that leave less than a second of it. What they leave
    /// is for the last log lines, which get four fifths of it and 4 seconds at most, and for what the application does
    /// after `serve`.
    pub fn grace_period(mut self, period: Duration) -> Self {
        self.stopping.grace_period = period;
        self
    }
}
