//! One check under supervision: run, published, run again.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::check::{BoxError, Check, CheckResult};
use super::journal::Journal;
use super::run::{Ended, Run};
use super::state::{Reading, State, View};

/// A probe that waits for a first reading gives the supervisor this much more than the check's own deadline, to
/// begin the run and to publish that its deadline passed.
const FIRST_READING_GRACE: Duration = Duration::from_millis(100);

/// A check, its settings as they were when the monitor was built, and what is known of it.
pub(crate) struct Supervised {
    name: Box<str>,
    timeout: Duration,
    interval: Duration,
    check: Arc<dyn Check>,
    state: watch::Sender<State>,
}

impl Supervised {
    pub(crate) fn new(check: Arc<dyn Check>, interval: Duration) -> Self {
        let (name, timeout) = (check.name().into(), check.timeout());
        Self { name, timeout, interval, check, state: watch::Sender::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether any run passed so far.
    pub(crate) fn passed_once(&self) -> bool {
        self.state.borrow().passed_once
    }

    /// The check as it stands now.
    pub(crate) fn view(&self) -> View<'_> {
        let (state, now) = (self.state.borrow().clone(), Instant::now());
        let name = self.name();
        if state.is_overdue(self.timeout, now) {
            return View { name, healthy: false, message: self.timed_out(), latency: Some(self.timeout) };
        }
        let Some(last) = state.last else {
            return View {
                name,
                healthy: false,
                message: format!("{name} has not run yet").into(),
                latency: None,
            };
        };
        let age = now.saturating_duration_since(last.at);
        if age > self.stale_after() {
            let message = format!("{name} check is stale: last run {}s ago", age.as_secs());
            return View { name, healthy: false, message: message.into(), latency: Some(last.latency) };
        }
        View { name, healthy: last.healthy, message: last.message.clone(), latency: Some(last.latency) }
    }

    /// Three intervals missed, and the longest a run in between may have taken.
    fn stale_after(&self) -> Duration {
        self.interval.saturating_mul(3).saturating_add(self.timeout)
    }

    /// Waits for the first reading, at most until the check's deadline (and a moment) has passed.
    pub(crate) async fn first_reading(&self) {
        let mut changes = self.state.subscribe();
        let read = changes.wait_for(|state| state.last.is_some());
        // Either way the view is what counts.
        let _ = timeout(self.timeout.saturating_add(FIRST_READING_GRACE), read).await;
    }

    pub(crate) fn has_reading(&self) -> bool {
        self.state.borrow().last.is_some()
    }

    /// Runs the check for as long as the future is polled, one run at a time.
    pub(crate) async fn supervise(self: Arc<Self>) {
        let mut journal = Journal::new(&self.name);
        loop {
            self.run_once(&mut journal).await;
            sleep(self.interval).await;
        }
    }

    async fn run_once(&self, journal: &mut Journal) {
        let running = Running::begin(self);
        let mut run = Run::start(Arc::clone(&self.check), running.since);
        let verdict = match timeout(self.timeout, run.end()).await {
            Ok(Ended::Returned(result, took)) => self.verdict(result, took),
            Ok(Ended::Panicked(text)) => Verdict::failed(format!("{} panicked", self.name), text),
            // The supervisor is next to go; there is nothing left to publish for.
            Ok(Ended::Aborted) => return,
            Err(_) => Verdict::late(self),
        };
        let took = verdict.took.unwrap_or_else(|| running.since.elapsed());
        journal.note(verdict.healthy, &verdict.message, verdict.detail.as_ref(), took);
        self.publish(verdict.healthy, verdict.message, took);
        run.stop().await;
    }

    fn publish(&self, healthy: bool, message: Cow<'static, str>, latency: Duration) {
        let reading = Arc::new(Reading { healthy, message, latency, at: Instant::now() });
        self.state.send_modify(|state| {
            state.passed_once |= healthy;
            state.last = Some(reading);
        });
    }

    /// Judges a run that returned. A blocked thread can bring a result that is older than the deadline.
    fn verdict(&self, result: CheckResult, took: Duration) -> Verdict {
        if took > self.timeout {
            return Verdict::late(self);
        }
        let (healthy, message, detail) = match result {
            Ok(report) => (true, report.into_message(), None),
            Err(error) => {
                let (message, detail) = error.into_parts();
                (false, message, detail)
            }
        };
        let default = if healthy { "passed" } else { "failed" };
        let message = message.unwrap_or_else(|| format!("{} {default}", self.name).into());
        Verdict { healthy, message, detail, took: Some(took) }
    }

    fn timed_out(&self) -> Cow<'static, str> {
        // `Duration`'s own `Debug` is the compact form: 5s, 250ms, 1.5s.
        format!("{} timed out after {:?}", self.name, self.timeout).into()
    }
}

/// What a run amounts to.
struct Verdict {
    healthy: bool,
    message: Cow<'static, str>,
    detail: Option<BoxError>,
    /// `None` where the run could not say it.
    took: Option<Duration>,
}

impl Verdict {
    fn failed(message: String, detail: impl Into<BoxError>) -> Self {
        Self { healthy: false, message: message.into(), detail: Some(detail.into()), took: None }
    }

    fn late(check: &Supervised) -> Self {
        Self { healthy: false, message: check.timed_out(), detail: None, took: Some(check.timeout) }
    }
}

/// Marks a run as in progress until it is dropped, however that comes about.
struct Running<'a> {
    state: &'a watch::Sender<State>,
    since: Instant,
}

impl<'a> Running<'a> {
    fn begin(check: &'a Supervised) -> Self {
        let since = Instant::now();
        check.state.send_modify(|state| state.running_since = Some(since));
        Self { state: &check.state, since }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.state.send_modify(|state| state.running_since = None);
    }
}
