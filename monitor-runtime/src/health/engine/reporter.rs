//! What a check leaves behind: metrics for each run; a count and a log line when it turns.

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

/// The metrics of one check, and the state in which it was last seen.
pub(crate) struct Journal {
    check: Box<str>,
    severity: Severity,
    duration: Gauge,
    last_success: Gauge,
    runs: [IntCounter; Outcome::ALL.len()],
    turns: [IntCounter; Turn::ALL.len()],
    /// The code of the last turn.
    seen: AtomicU8,
    turning: Mutex<()>,
}

impl Journal {
    /// Opens it; the check's series appear now, its last success at 0 for "never".
    pub(crate) fn new(check: &str, severity: Severity) -> Self {
        let metrics = process::metrics();
        let runs =
            Outcome::ALL.map(|outcome| metrics.health_runs.with_label_values(&[check, outcome.as_str()]));
        let turns =
            Turn::ALL.map(|turn| metrics.health_transitions.with_label_values(&[check, turn.as_str()]));
        Self {
            check: check.into(),
            severity,
            duration: metrics.health_duration.with_label_values(&[check]),
            last_success: metrics.health_last_success.with_label_values(&[check]),
            runs,
            turns,
            seen: AtomicU8::new(code(None)),
            turning: Mutex::new(()),
        }
    }

    /// Counts a run, once.
    pub(crate) fn count_run(&self, outcome: Outcome, took: Duration) {
        self.duration.set(took.as_secs_f64());
        if outcome == Outcome::Passed {
            self.last_success.set(unix_time());
        }
        self.runs[outcome as usize].inc();
    }

    /// Counts and logs that the check has turned, unless somebody has seen that before.
    ///
    /// `look` is asked again under the lock, so that who comes late with an old state turns nothing back.
    pub(crate) fn note_turn<'a>(
        &self,
        status: Status,
        detail: Option<&BoxError>,
        look: impl FnOnce() -> View<'a>,
    ) {
        if code(Turn::to(status)) == self.seen.load(Ordering::Acquire) {
            return;
        }
        let turned = {
            let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
            let view = look();
            let turn = Turn::to(view.status);
            let before = self.seen.swap(code(turn), Ordering::AcqRel);
            turn.filter(|_| before != code(turn)).map(|turn| (turn, view))
        };
        // The lock is gone: a subscriber may ask for the check's state.
        if let Some((turn, view)) = turned {
            self.turns[turn as usize].inc();
            self.log(turn, &view.message, detail);
        }
    }

    fn log(&self, turn: Turn, reason: &str, detail: Option<&BoxError>) {
        let check = &*self.check;
        // In words here, where they are bounded: not every subscriber finds the end of a chain that is a circle.
        let said = detail.map(|detail| ErrorText::caught(&**detail)).unwrap_or_default();
        let (error, chain) = (detail.map(|_| &*said.message), said.sources.as_deref());
        match (turn, self.severity) {
            (Turn::Healthy, _) => tracing::info!(target: TARGET, check, reason, "health check passes"),
            (Turn::Unhealthy, Severity::Critical) => {
                tracing::error!(target: TARGET, check, reason, error, error.chain = chain, "health check failed");
            }
            (Turn::Unhealthy, Severity::Degraded) => {
                tracing::warn!(target: TARGET, check, reason, error, error.chain = chain, "health check failed");
            }
            (Turn::Stale, Severity::Critical) => {
                tracing::error!(target: TARGET, check, reason, "health check is stale");
            }
            (Turn::Stale, Severity::Degraded) => {
                tracing::warn!(target: TARGET, check, reason, "health check is stale");
            }
        }
    }
}

/// What a check turns to. A reservation, such as a busy pool, is shown and no turn: it may come and go with each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Healthy,
    Unhealthy,
    Stale,
}

impl Turn {
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

/// Fits what `seen` holds.
fn code(turn: Option<Turn>) -> u8 {
    turn.map_or(0, |turn| turn as u8 + 1)
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
