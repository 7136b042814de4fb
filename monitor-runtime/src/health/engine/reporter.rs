//! Reports a check: metrics for each run, and a count and a log line for each state transition.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::{Gauge, IntCounter};

use super::policy::Severity;
use super::state::{Outcome, Status, View};
use crate::error_chain::ErrorText;
use crate::families::process;
use crate::health::checks::BoxError;

/// The logger of lines about checks.
const TARGET: &str = "monitor_runtime::health";

/// The metrics of one check, and its last observed state.
pub(crate) struct CheckReporter {
    check: Box<str>,
    severity: Severity,
    duration: Gauge,
    last_success: Gauge,
    runs: [IntCounter; Outcome::ALL.len()],
    transitions: [IntCounter; Transition::ALL.len()],
    /// The code of the last transition.
    seen: AtomicU8,
    turning: Mutex<()>,
}

impl CheckReporter {
    /// Creates the check's series; the time of its last success is 0 until it passes.
    pub(crate) fn new(check: &str, severity: Severity) -> Self {
        let metrics = process::metrics();
        let runs =
            Outcome::ALL.map(|outcome| metrics.health_runs.with_label_values(&[check, outcome.as_str()]));
        let transitions = Transition::ALL
            .map(|transition| metrics.health_transitions.with_label_values(&[check, transition.as_str()]));
        Self {
            check: check.into(),
            severity,
            duration: metrics.health_duration.with_label_values(&[check]),
            last_success: metrics.health_last_success.with_label_values(&[check]),
            runs,
            transitions,
            seen: AtomicU8::new(code(None)),
            turning: Mutex::new(()),
        }
    }

    /// Counts one run.
    pub(crate) fn count_run(&self, outcome: Outcome, took: Duration) {
        self.duration.set(took.as_secs_f64());
        if outcome == Outcome::Passed {
            self.last_success.set(unix_time());
        }
        self.runs[outcome as usize].inc();
    }

    /// Counts and logs a state transition. Only its first observer does.
    ///
    /// It calls `look` again under the lock, so a late observer with an old state changes nothing.
    pub(crate) fn note_transition<'a>(
        &self,
        status: Status,
        detail: Option<&BoxError>,
        look: impl FnOnce() -> View<'a>,
    ) {
        if code(Transition::to(status)) == self.seen.load(Ordering::Acquire) {
            return;
        }
        let transitioned = {
            let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
            let view = look();
            let transition = Transition::to(view.status);
            let before = self.seen.swap(code(transition), Ordering::AcqRel);
            transition.filter(|_| before != code(transition)).map(|transition| (transition, view))
        };
        // The lock is released first, since a subscriber may read the check's state.
        if let Some((transition, view)) = transitioned {
            self.transitions[transition as usize].inc();
            self.log(transition, &view.message, detail);
        }
    }

    fn log(&self, transition: Transition, reason: &str, detail: Option<&BoxError>) {
        let check = &*self.check;
        // Formatted here, with bounds: not every subscriber can handle a cyclic chain of sources.
        let said = detail.map(|detail| ErrorText::caught(&**detail)).unwrap_or_default();
        let (error, chain) = (detail.map(|_| &*said.message), said.sources.as_deref());
        match (transition, self.severity) {
            (Transition::Healthy, _) => tracing::info!(target: TARGET, check, reason, "health check passes"),
            (Transition::Unhealthy, Severity::Critical) => {
                tracing::error!(target: TARGET, check, reason, error, error.chain = chain, "health check failed");
            }
            (Transition::Unhealthy, Severity::NonCritical) => {
                tracing::warn!(target: TARGET, check, reason, error, error.chain = chain, "health check failed");
            }
            (Transition::Stale, Severity::Critical) => {
                tracing::error!(target: TARGET, check, reason, "health check is stale");
            }
            (Transition::Stale, Severity::NonCritical) => {
                tracing::warn!(target: TARGET, check, reason, "health check is stale");
            }
        }
    }
}

/// The new state of a check. A warning, such as a saturated pool, is not a transition, since it may come and go with
/// each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transition {
    Healthy,
    Unhealthy,
    Stale,
}

impl Transition {
    const ALL: [Self; 3] = [Self::Healthy, Self::Unhealthy, Self::Stale];

    fn to(status: Status) -> Option<Self> {
        match status {
            Status::Pending => None,
            Status::Healthy | Status::Degraded => Some(Self::Healthy),
            Status::Unhealthy => Some(Self::Unhealthy),
            Status::Stale => Some(Self::Stale),
        }
    }

    /// The value of the label `to`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Stale => "stale",
        }
    }
}

/// The representation in `seen`; 0 before the first transition.
fn code(transition: Option<Transition>) -> u8 {
    transition.map_or(0, |transition| transition as u8 + 1)
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
