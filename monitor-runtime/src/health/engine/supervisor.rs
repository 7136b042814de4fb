//! The supervision of one check: run it, publish the result, and run it again.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{self, sleep, timeout};

use super::policy::{Rules, Severity};
use super::reporter::CheckReporter;
use super::run::{Ended, Run};
use super::state::{Outcome, Reading, Snapshot, Status, View};
use crate::health::checks::{BoxError, Check, CheckResult};

/// Is called after each run of a check, whose result is published by then.
pub(crate) type Settled = Arc<dyn Fn() + Send + Sync>;

/// A check with validated name and rules.
pub(crate) struct Plan {
    pub(crate) name: Box<str>,
    pub(crate) rules: Rules,
    pub(crate) check: Arc<dyn Check>,
}

/// A check, its rules and its state.
pub(crate) struct Supervised {
    name: Box<str>,
    rules: Rules,
    check: Arc<dyn Check>,
    /// Locked only while the pointer is copied. Only the supervisor writes.
    snapshot: RwLock<Arc<Snapshot>>,
    reporter: CheckReporter,
    #[cfg(feature = "runs")]
    past: super::past::PastRuns,
    #[cfg(feature = "runs")]
    transitions: super::past::Transitions,
}

impl Supervised {
    pub(crate) fn new(Plan { name, rules, check }: Plan) -> Self {
        let reporter = CheckReporter::new(&name, rules.severity);
        Self {
            name,
            rules,
            check,
            snapshot: RwLock::default(),
            reporter,
            #[cfg(feature = "runs")]
            past: super::past::PastRuns::default(),
            #[cfg(feature = "runs")]
            transitions: super::past::Transitions::default(),
        }
    }

    /// What the check did before.
    #[cfg(feature = "runs")]
    pub(crate) fn past(&self) -> super::Past {
        super::Past { transitions: self.transitions.newest_first(), ..self.past.copy() }
    }

    #[cfg(feature = "runs")]
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether startup need not wait for it: a run has passed, or the check is not critical.
    pub(crate) fn allows_started(&self) -> bool {
        self.rules.severity == Severity::NonCritical || self.snapshot().passed_once
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, snapshot: Snapshot) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// The current state. The first observer of a transition counts and logs it.
    pub(crate) fn view(&self) -> View<'_> {
        let view = self.look();
        self.note_transition(&view, None);
        view
    }

    fn note_transition(&self, view: &View<'_>, detail: Option<&BoxError>) {
        #[cfg(feature = "runs")]
        self.transitions.note(
            || self.look(),
            |view| view.status.as_str(),
            |view| Some(view.message.clone().into_owned()),
        );
        self.reporter.note_transition(view.status, detail, || self.look());
    }

    /// The current state, without a word to anybody.
    pub(crate) fn look(&self) -> View<'_> {
        let (snapshot, now) = (self.snapshot(), Instant::now());
        let overdue =
            snapshot.is_overdue(now) && !snapshot.hysteresis.after(Outcome::TimedOut, &self.rules).healthy;
        let age = snapshot.last.as_ref().map(|last| now.saturating_duration_since(last.at));
        let (status, message, latency) = match (&snapshot.last, age) {
            (Some(last), Some(age)) if age > self.rules.stale_after() => {
                let message = format!("{} check is stale: last run {}s ago", self.name, age.as_secs());
                (Status::Stale, message.into(), Some(last.latency))
            }
            _ if overdue => (Status::Unhealthy, self.timed_out(), Some(self.rules.timeout)),
            (Some(last), _) => {
                (snapshot.hysteresis.status(last.is_warning), last.message.clone(), Some(last.latency))
            }
            (None, _) => (Status::Pending, format!("{} has not run yet", self.name).into(), None),
        };
        View { name: &self.name, status, severity: self.rules.severity, message, latency, age }
    }

    /// Supervises the check as long as the future is polled. Only code called on the way, such as a user's log layer,
    /// can panic here; supervision then restarts.
    pub(crate) async fn keep_supervised(self: Arc<Self>, settled: Settled) {
        loop {
            let mut supervisor = JoinSet::new();
            supervisor.spawn(Arc::clone(&self).supervise(Arc::clone(&settled)));
            match supervisor.join_next().await {
                Some(Err(error)) if error.is_panic() => sleep(self.rules.pause()).await,
                // The runtime is shutting down.
                _ => return,
            }
        }
    }

    /// Runs the check repeatedly, one run at a time.
    async fn supervise(self: Arc<Self>, settled: Settled) {
        loop {
            self.run_once(&*settled).await;
            sleep(self.rules.pause()).await;
        }
    }

    async fn run_once(&self, settled: &(dyn Fn() + Send + Sync)) {
        self.begin(Instant::now());
        let started = time::Instant::now();
        let mut run = Run::start(Arc::clone(&self.check), started);
        let verdict = match timeout(self.rules.timeout, run.end()).await {
            Ok(Ended::Returned(result, took)) => self.verdict(result, took),
            Ok(Ended::Panicked(text)) => self.panicked(text, started.elapsed()),
            // The runtime is shutting down, and ends this task next.
            Ok(Ended::Aborted) => return,
            Err(_) => self.late(),
        };
        self.reporter.count_run(verdict.outcome, verdict.took);
        self.settle(verdict);
        settled();
        // A run that blocks its thread outlives its abort. Each interval counts as another missed deadline, which keeps
        // the result fresh: stale means that nothing supervises the check.
        while timeout(self.rules.pause(), run.stop()).await.is_err() {
            self.settle(self.late());
            settled();
        }
    }

    fn begin(&self, started: Instant) {
        let before = self.snapshot();
        let due = started.checked_add(self.rules.timeout);
        self.publish(Snapshot { last: before.last.clone(), due, ..*before });
    }

    fn settle(&self, verdict: Verdict) {
        let Verdict { outcome, is_warning, message, detail, took } = verdict;
        #[cfg(feature = "runs")]
        self.past.note(outcome, is_warning, took);
        let before = self.snapshot();
        let hysteresis = before.hysteresis.after(outcome, &self.rules);
        let message = hysteresis.explain(message, &self.rules);
        self.publish(Snapshot {
            last: Some(Reading { is_warning, message, latency: took, at: Instant::now() }),
            hysteresis,
            due: None,
            passed_once: before.passed_once || outcome == Outcome::Passed,
        });
        let view = self.look();
        self.note_transition(&view, detail.as_ref());
    }

    /// Evaluates a run that returned. After a blocked thread, a result can arrive after its deadline.
    fn verdict(&self, result: CheckResult, took: Duration) -> Verdict {
        if took > self.rules.timeout {
            return self.late();
        }
        let (outcome, is_warning, message, detail) = match result {
            Ok(report) => (Outcome::Passed, report.is_warning(), report.into_message(), None),
            Err(error) => {
                let (message, detail) = error.into_parts();
                (Outcome::Failed, false, message, detail)
            }
        };
        let message = message.unwrap_or_else(|| format!("{} {}", self.name, outcome.as_str()).into());
        Verdict { outcome, is_warning, message, detail, took }
    }

    fn panicked(&self, text: String, took: Duration) -> Verdict {
        let message = format!("{} panicked", self.name).into();
        Verdict { outcome: Outcome::Panicked, is_warning: false, message, detail: Some(text.into()), took }
    }

    fn late(&self) -> Verdict {
        let (message, took) = (self.timed_out(), self.rules.timeout);
        Verdict { outcome: Outcome::TimedOut, is_warning: false, message, detail: None, took }
    }

    fn timed_out(&self) -> Cow<'static, str> {
        // `Debug` of `Duration` is compact: 5s, 250ms, 1.5s.
        format!("{} timed out after {:?}", self.name, self.rules.timeout).into()
    }
}

/// The evaluated result of a run.
struct Verdict {
    outcome: Outcome,
    is_warning: bool,
    message: Cow<'static, str>,
    detail: Option<BoxError>,
    took: Duration,
}
