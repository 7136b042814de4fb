//! Sends batches, each with retries until it is accepted, refused or given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use ureq::Agent;

use super::answer::{self, Answer};
use super::control::Control;
use super::settings::Target;
use super::signal::Signal;
use crate::address::without_secrets;
use crate::families::process::{self, OTLP_OUTCOMES};

/// The logger of lines about the export.
const TARGET: &str = "monitor_runtime::otlp";

/// The pause after the first try. It doubles with each try, and is shortened by up to half at random, so that a fleet
/// does not retry in step.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The maximum number of bytes read of an answer.
const ANSWER_BYTES: u64 = 64 * 1_024;

/// Sends one signal, on its own thread.
#[derive(Debug)]
pub(super) struct Exporter {
    signal: Signal,
    target: Target,
    agent: Agent,
    control: Arc<Control>,
    /// `otlp_exports_total`, by the answer's outcome.
    exports: [IntCounter; 3],
    /// `otlp_dropped_total`.
    dropped: IntCounter,
    /// The time before which the collector must not be asked again.
    rests_until: Option<Instant>,
    /// Whether the last batch was lost. Only the first loss is logged.
    is_failing: bool,
}

impl Exporter {
    pub(super) fn new(signal: Signal, target: Target, control: Arc<Control>) -> Self {
        let metrics = process::metrics();
        let export = |outcome| metrics.otlp_exports.with_label_values(&[outcome, signal.as_str()]);
        let dropped = dropped(signal);
        let agent = agent();
        let exports = OTLP_OUTCOMES.map(export);
        Self { signal, target, agent, control, exports, dropped, rests_until: None, is_failing: false }
    }

    /// Sends a request with `items` spans or data points, with retries until the batch's deadline.
    pub(super) fn deliver(&mut self, items: usize, request: &[u8]) {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let until = self.control.end().unwrap_or_else(|| started + self.target.patience);
            let Some(time) = self.time_for_a_try(until) else {
                return self.lose(items, "no time is left");
            };
            let answer = self.ask(request, time.min(self.target.timeout));
            self.exports[answer.outcome()].inc();
            match answer {
                Answer::Accepted { rejected, said } => return self.succeed(rejected, &said),
                Answer::Refused { why } => return self.lose(items, &why),
                Answer::Unavailable { why, .. } if self.control.end().is_some() => {
                    return self.lose(items, &why);
                }
                Answer::Unavailable { why, retry_after } => {
                    // A `Retry-After` of zero is respected once only, or a collector that repeats it would cause a busy
                    // loop.
                    let asked = retry_after.filter(|rest| !rest.is_zero() || pause == FIRST_PAUSE);
                    self.rests_until = Some(Instant::now() + asked.unwrap_or_else(|| shortened(pause)));
                    if self.rests_until >= Some(until) {
                        return self.lose(items, &why);
                    }
                    pause *= 2;
                }
            }
        }
    }

    /// Waits until the collector may be asked again. Returns the time left for the request, if any.
    fn time_for_a_try(&mut self, until: Instant) -> Option<Duration> {
        let now = Instant::now();
        let pause = self.rests_until.take().map(|then| then.saturating_duration_since(now));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            if now + pause >= until {
                self.rests_until = Some(now + pause);
                return None;
            }
            self.control.pause(pause);
        }
        let until = self.control.end().map_or(until, |end| end.min(until));
        Some(until.saturating_duration_since(Instant::now())).filter(|time| !time.is_zero())
    }

    /// Sends one request, with `time` as its timeout.
    fn ask(&self, request: &[u8], time: Duration) -> Answer {
        let post = self.agent.post(&self.target.url).config().timeout_global(Some(time)).build();
        let post = post.content_type("application/x-protobuf");
        let post = self.target.headers.iter().fold(post, |post, (name, value)| post.header(name, value));
        let unavailable =
            |error: ureq::Error| Answer::Unavailable { why: error.to_string(), retry_after: None };
        let mut response = match post.send(request) {
            Ok(response) => response,
            Err(error) => return unavailable(error),
        };
        let body = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec().unwrap_or_default();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = header("retry-after").and_then(|after| answer::rest(after, header("date")));
        Answer::of(self.signal, response.status().as_u16(), retry_after, &body)
    }

    fn succeed(&mut self, rejected: u64, said: &str) {
        let signal = self.signal.as_str();
        if std::mem::take(&mut self.is_failing) {
            let url = without_secrets(&self.target.url);
            tracing::info!(target: TARGET, signal, url, "exporting again");
        }
        if rejected > 0 {
            self.dropped.inc_by(rejected);
            tracing::warn!(target: TARGET, signal, rejected, said, "the collector rejected a part of the export");
        }
    }

    /// Drops a batch. Only the first of consecutive losses is logged.
    fn lose(&mut self, items: usize, why: &str) {
        self.dropped.inc_by(items as u64);
        if !std::mem::replace(&mut self.is_failing, true) {
            let (signal, url) = (self.signal.as_str(), without_secrets(&self.target.url));
            tracing::warn!(target: TARGET, signal, url, why, lost = items, "nothing reaches the collector");
        }
    }
}

/// `otlp_dropped_total` of that signal.
pub(super) fn dropped(signal: Signal) -> IntCounter {
    process::metrics().otlp_dropped.with_label_values(&[signal.as_str()])
}

/// Makes an HTTP client without proxies, redirects and cookies: the collector is reached at its own address.
fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("monitor-runtime/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

fn shortened(pause: Duration) -> Duration {
    pause.mul_f64(1.0 - fastrand::f64() / 2.0)
}
