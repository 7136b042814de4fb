//! The checks of one monitor, and their supervision.

#[cfg(feature = "runs")]
mod past;
mod policy;
mod reporter;
mod run;
mod state;
mod supervisor;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::families::health::{CheckReading, HealthReading, HealthSource};
use supervisor::{Settled, Supervised};

#[cfg(feature = "runs")]
pub(crate) use past::{Past, Transition};
pub use policy::Policy;
pub(crate) use policy::Rules;
#[cfg(test)]
pub(crate) use policy::Severity;
pub(crate) use state::{Status, View};
pub(crate) use supervisor::Plan;

/// The checks and the tasks that run them. Dropping it ends the tasks and the runs in progress.
pub(crate) struct Engine {
    state: Arc<State>,
    supervisors: OnceLock<JoinSet<()>>,
}

/// What readiness depends on.
struct State {
    /// Sorted by name.
    checks: Box<[Arc<Supervised>]>,
    draining: AtomicBool,
    /// The readiness as it changed.
    #[cfg(feature = "runs")]
    transitions: past::Transitions,
}

thread_local! {
    /// Whether the thread belongs to this crate.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// The state of a monitor at one moment.
#[derive(Debug)]
pub(crate) struct Health<'a> {
    pub(crate) draining: bool,
    /// Sorted by name.
    pub(crate) checks: Vec<View<'a>>,
}

impl Engine {
    pub(crate) fn new(mut plans: Vec<Plan>) -> Self {
        plans.sort_by(|a, b| a.name.cmp(&b.name));
        let state = State {
            checks: plans.into_iter().map(Supervised::new).map(Arc::new).collect(),
            draining: AtomicBool::new(false),
            #[cfg(feature = "runs")]
            transitions: past::Transitions::default(),
        };
        Self { state: Arc::new(state), supervisors: OnceLock::new() }
    }

    /// Prevents checks from being started on the runtime of this thread, which is not the application's.
    #[cfg(feature = "http")]
    pub(crate) fn never_start_on_this_thread() {
        IS_OURS.set(true);
    }

    /// Starts the checks on the caller's runtime, unless they are started. Outside of a runtime it does nothing.
    pub(crate) fn start(&self) {
        if let Some(runtime) = Handle::try_current().ok().filter(|_| !IS_OURS.get()) {
            self.supervisors.get_or_init(|| {
                let state = Arc::clone(&self.state);
                let settled: Settled = Arc::new(move || state.note());
                self.state.note();
                let mut supervisors = JoinSet::new();
                for check in &self.state.checks {
                    let supervised = Arc::clone(check).keep_supervised(Arc::clone(&settled));
                    supervisors.spawn_on(supervised, &runtime);
                }
                supervisors
            });
        }
    }

    /// Makes readiness answer 503 `draining` from now on. The checks continue.
    #[cfg(feature = "http")]
    pub(crate) fn drain(&self) {
        self.state.draining.store(true, Ordering::Relaxed);
        self.state.note();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.draining.load(Ordering::Relaxed)
    }

    /// Everything that readiness depends on.
    pub(crate) fn health(&self) -> Health<'_> {
        // A result becomes overdue or stale without a run.
        self.state.note();
        Health { draining: self.is_draining(), checks: self.views() }
    }

    /// The transitions of the readiness, the newest first: at the start, after a run of a check, at the drain. One that time
    /// alone brings, to overdue or stale, is noted at the next of these moments or when somebody asks.
    #[cfg(feature = "runs")]
    pub(crate) fn transitions(&self) -> Vec<Transition> {
        self.state.transitions.newest_first()
    }

    /// What each check did before, in the order of [`views`](Self::views).
    #[cfg(feature = "runs")]
    pub(crate) fn past(&self) -> Vec<Past> {
        self.state.checks.iter().map(|check| check.past()).collect()
    }

    /// The rules of each check, in the order of [`views`](Self::views).
    #[cfg(feature = "runs")]
    pub(crate) fn rules(&self) -> Vec<&Rules> {
        self.state.checks.iter().map(|check| check.rules()).collect()
    }

    /// The state of every check, sorted by name. It also starts the checks if that was not possible before, and never
    /// waits.
    pub(crate) fn views(&self) -> Vec<View<'_>> {
        self.start();
        self.state.checks.iter().map(|check| check.view()).collect()
    }

    /// Whether readiness answers 200 now. It starts the checks as [`views`](Self::views) does.
    #[cfg(feature = "tonic")]
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_draining() && self.views().iter().all(View::allows_ready)
    }

    /// The names of the checks, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.state.checks.iter().map(|check| check.name()).collect()
    }

    /// Whether every critical check has passed at least once.
    pub(crate) fn is_started(&self) -> bool {
        self.state.checks.iter().all(|check| check.allows_started())
    }
}

impl State {
    /// Notes the readiness, if it has changed.
    #[cfg(not(feature = "runs"))]
    fn note(&self) {
        // The history is a part of that feature.
        let _ = self;
    }

    /// Notes the readiness, if it has changed.
    #[cfg(feature = "runs")]
    fn note(&self) {
        self.transitions.note(
            || Health {
                draining: self.draining.load(Ordering::Relaxed),
                checks: self.checks.iter().map(|check| check.look()).collect(),
            },
            Health::status,
            Health::reason,
        );
    }
}

#[cfg(feature = "runs")]
impl Health<'_> {
    /// The readiness: `ready`, `not_ready` or `draining`.
    pub(crate) fn status(&self) -> &'static str {
        match (self.draining, self.checks.iter().all(View::allows_ready)) {
            (true, _) => "draining",
            (false, true) => "ready",
            (false, false) => "not_ready",
        }
    }

    /// Why it is not ready: the checks that forbid it.
    pub(crate) fn reason(&self) -> Option<String> {
        let failed = self.checks.iter().filter(|check| !check.allows_ready());
        let reasons: Vec<_> = failed.map(|check| format!("{}: {}", check.name, check.message)).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// The same without ages, so that it stays as it is while the reason does.
    #[cfg(feature = "http")]
    pub(crate) fn stable_reason(&self) -> String {
        let failed = self.checks.iter().filter(|check| !check.allows_ready());
        let reason = |check: &View<'_>| match check.status {
            Status::Stale => format!("{}: stale", check.name),
            _ => format!("{}: {}", check.name, check.message),
        };
        failed.map(reason).collect::<Vec<_>>().join("; ")
    }
}

impl HealthSource for Engine {
    fn read(&self) -> HealthReading {
        let views: Vec<_> = self.state.checks.iter().map(|check| check.view()).collect();
        HealthReading {
            ready: !self.is_draining() && views.iter().all(View::allows_ready),
            checks: views.iter().map(CheckReading::from).collect(),
        }
    }
}

impl From<&View<'_>> for CheckReading {
    fn from(view: &View<'_>) -> Self {
        let View { name, status, .. } = view;
        Self { name: (*name).into(), healthy: status.is_healthy(), stale: *status == Status::Stale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_drains_is_not_ready_whatever_its_checks_say() {
        let engine = Engine::new(Vec::new());
        assert!(engine.read().ready);
        engine.drain();
        assert!(!engine.read().ready);
    }
}
