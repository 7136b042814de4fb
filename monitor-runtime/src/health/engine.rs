//! All checks of one monitor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::state::View;
use super::supervised::Supervised;
use crate::registry::health::HealthSource;

/// The checks and the tasks that run them; dropping it ends the tasks and the runs in progress.
pub(crate) struct Engine {
    /// Sorted by name.
    checks: Box<[Arc<Supervised>]>,
    supervisors: OnceLock<JoinSet<()>>,
    draining: AtomicBool,
}

impl Engine {
    pub(crate) fn new(mut checks: Vec<Supervised>) -> Self {
        checks.sort_by(|a, b| a.name().cmp(b.name()));
        Self {
            checks: checks.into_iter().map(Arc::new).collect(),
            supervisors: OnceLock::new(),
            draining: AtomicBool::new(false),
        }
    }

    /// Starts the checks on the runtime of the caller, unless they are started; outside a runtime it does nothing.
    pub(crate) fn start(&self) {
        if let Ok(runtime) = Handle::try_current() {
            self.supervisors.get_or_init(|| {
                let mut supervisors = JoinSet::new();
                for check in &self.checks {
                    supervisors.spawn_on(Arc::clone(check).supervise(), &runtime);
                }
                supervisors
            });
        }
    }

    /// Makes readiness answer 503 `draining` from now on, whatever the checks say. They go on.
    #[cfg(feature = "http")]
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Every check as it stands, sorted by name. Where a check has no reading yet, waits for its first.
    pub(crate) async fn views(&self) -> Vec<View<'_>> {
        self.start();
        if self.supervisors.get().is_some() && Handle::try_current().is_ok() {
            // They run side by side, so waiting for one after another takes as long as the slowest.
            for check in self.checks.iter().filter(|check| !check.has_reading()) {
                check.first_reading().await;
            }
        }
        self.checks.iter().map(|check| check.view()).collect()
    }

    /// The checks' names, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.checks.iter().map(|check| check.name()).collect()
    }

    /// Whether every check has passed once, at whatever time.
    pub(crate) fn all_passed_once(&self) -> bool {
        self.checks.iter().all(|check| check.passed_once())
    }
}

impl HealthSource for Engine {
    fn is_ready(&self) -> bool {
        !self.is_draining() && self.checks.iter().all(|check| check.view().healthy)
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_drains_is_not_ready_whatever_its_checks_say() {
        let engine = Engine::new(Vec::new());
        assert!(engine.is_ready());
        engine.drain();
        assert!(!engine.is_ready());
    }
}
