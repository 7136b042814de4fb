//! What a check's runs leave behind: metrics for each, a log line when they turn.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus::Gauge;

use super::check::BoxError;
use crate::registry::process;

/// The logger of lines about checks.
const TARGET: &str = "monitor_runtime::health";

/// The metrics of one check, and whether its last run passed.
pub(crate) struct Journal {
    check: Box<str>,
    status: Gauge,
    duration: Gauge,
    last_success: Gauge,
    was_healthy: Option<bool>,
}

impl Journal {
    /// Begins with the first run; the check's series appear now, its last success at 0 for "never".
    pub(crate) fn new(check: &str) -> Self {
        let metrics = process::metrics();
        Self {
            check: check.into(),
            status: metrics.health_status.with_label_values(&[check]),
            duration: metrics.health_duration.with_label_values(&[check]),
            last_success: metrics.health_last_success.with_label_values(&[check]),
            was_healthy: None,
        }
    }

    /// Records a run.
    pub(crate) fn note(&mut self, healthy: bool, message: &str, detail: Option<&BoxError>, took: Duration) {
        self.status.set(f64::from(u8::from(healthy)));
        self.duration.set(took.as_secs_f64());
        if healthy {
            self.last_success.set(unix_time());
        }
        if self.was_healthy.replace(healthy) != Some(healthy) {
            self.log_turn(healthy, message, detail);
        }
    }

    fn log_turn(&self, healthy: bool, message: &str, detail: Option<&BoxError>) {
        let check = &*self.check;
        match (healthy, detail) {
            (true, _) => tracing::info!(target: TARGET, check, reason = message, "health check passes"),
            (false, None) => tracing::error!(target: TARGET, check, reason = message, "health check failed"),
            (false, Some(detail)) => {
                let error: &(dyn Error + 'static) = &**detail;
                tracing::error!(target: TARGET, check, reason = message, error, "health check failed");
            }
        }
    }
}

fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
