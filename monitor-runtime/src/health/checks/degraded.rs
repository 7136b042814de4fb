//! Database checks that pass with a warning.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::error_chain::ErrorText;

/// How long leased connections count as working after the database has last answered.
pub(super) const TRUST: Duration = Duration::from_secs(10);

/// The message while all connections of the pool are leased.
pub(super) const SATURATED: &str = "pool saturated";

/// Logs why a check is degraded, once until it is not.
#[derive(Debug, Default)]
pub(super) struct DegradedLog(AtomicBool);

impl DegradedLog {
    pub(super) fn write(&self, check: &str, reason: &str, error: Option<&(dyn Error + 'static)>) {
        if self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        // Formatted here, with bounds: the error may be the user's own, and its chain of sources a circle.
        let said = error.map(ErrorText::caught).unwrap_or_default();
        let (error, chain) = (error.map(|_| &*said.message), said.sources.as_deref());
        tracing::warn!(
            target: "monitor_runtime::health",
            check,
            reason,
            error,
            error.chain = chain,
            "health check is degraded"
        );
    }

    /// Lets the next reason be logged again.
    pub(super) fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
