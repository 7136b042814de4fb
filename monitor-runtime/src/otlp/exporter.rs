//! Sends batches, each with retries until it is accepted, refused or given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use super::answer::Answer;
use super::control::Control;
use super::error::OtlpError;
use super::signal::Signal;
use super::target::Target;
use super::transport::Client;
use crate::address::without_secrets;
use crate::families::process::{self, OTLP_OUTCOMES};

/// The logger of lines about the export.
const TARGET: &str = "monitor_runtime::otlp";

/// The pause after the first try. It doubles with each try, and is shortened by up to half at random, so that a fleet
/// does not retry in step.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Sends one signal, on its own thread.
#[derive(Debug)]
pub(super) struct Exporter {
    signal: Signal,
    target: Target,
    client: Client,
    control: Arc<Control>,
    /// `otlp_exports_total`, by the answer's outcome.
    exports: [IntCounter; 3],
    /// `otlp_dropped_total`.
    dropped: IntCounter,
    /// The time before which the collector must not be asked again.
    rests_until: Option<Instant>,
    /// Whether the last batch was lost. Only the first loss is logged.
    is_failing: bool,
    /// The number of items that were taken, and are neither delivered nor counted as dropped.
    in_hand: usize,
}

impl Exporter {
    pub(super) fn new(signal: Signal, target: Target, control: Arc<Control>) -> Result<Self, OtlpError> {
        let metrics = process::metrics();
        let export = |outcome| metrics.otlp_exports.with_label_values(&[outcome, signal.as_str()]);
        let exports = OTLP_OUTCOMES.map(export);
        let client = Client::new(signal, &target);
        let client = client.map_err(|source| OtlpError::Thread { signal: signal.as_str(), source })?;
        let dropped = dropped(signal);
        Ok(Self {
            signal,
            target,
            client,
            control,
            exports,
            dropped,
            rests_until: None,
            is_failing: false,
            in_hand: 0,
        })
    }

    /// Counts dropped items in that counter.
    #[cfg(test)]
    pub(super) fn count_in(&mut self, dropped: IntCounter) {
        self.dropped = dropped;
    }

    /// Takes charge of items: from here on they are delivered or counted as dropped, even after a panic.
    pub(super) fn take(&mut self, items: usize) {
        self.in_hand += items;
    }

    /// Counts the items that a panic left in hand as dropped, and logs the panic.
    pub(super) fn outlive(&mut self) {
        let lost = std::mem::take(&mut self.in_hand);
        self.dropped.inc_by(lost as u64);
        let signal = self.signal.as_str();
        tracing::error!(target: TARGET, signal, lost, "the export panicked and goes on");
    }

    /// Sends a request with everything that was taken, with retries until the batch's deadline.
    ///
    /// `on_accepted` runs once if the collector accepts it, before the lines about it, since a line may panic in a log
    /// layer.
    pub(super) fn deliver(&mut self, request: Vec<u8>, on_accepted: impl FnOnce()) {
        let started = Instant::now();
        let request = self.client.prepare(request);
        let mut pause = FIRST_PAUSE;
        loop {
            let until = self.control.end().unwrap_or_else(|| started + self.target.patience);
            let Some(time) = self.time_for_a_try(until) else {
                return self.lose("no time is left");
            };
            let answer = self.client.ask(&request, time.min(self.target.timeout));
            self.exports[answer.outcome()].inc();
            match answer {
                Answer::Accepted { rejected, said } => {
                    on_accepted();
                    return self.succeed(rejected, &said);
                }
                Answer::Refused { why } => return self.lose(&why),
                Answer::Unavailable { why, .. } if self.control.end().is_some() => {
                    return self.lose(&why);
                }
                Answer::Unavailable { why, retry_after } => {
                    // A `Retry-After` of zero is respected once only, or a collector that repeats it would cause a busy
                    // loop.
                    let asked = retry_after.filter(|rest| !rest.is_zero() || pause == FIRST_PAUSE);
                    self.rests_until = Some(Instant::now() + asked.unwrap_or_else(|| shortened(pause)));
                    if self.rests_until >= Some(until) {
                        return self.lose(&why);
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

    fn succeed(&mut self, rejected: u64, said: &str) {
        self.in_hand = 0;
        self.dropped.inc_by(rejected);
        let signal = self.signal.as_str();
        if std::mem::take(&mut self.is_failing) {
            let url = without_secrets(&self.target.url);
            tracing::info!(target: TARGET, signal, url, "exporting again");
        }
        if rejected > 0 {
            tracing::warn!(target: TARGET, signal, rejected, said, "the collector rejected a part of the export");
        }
    }

    /// Drops a batch. Only the first of consecutive losses is logged.
    fn lose(&mut self, why: &str) {
        let lost = std::mem::take(&mut self.in_hand);
        self.dropped.inc_by(lost as u64);
        if !std::mem::replace(&mut self.is_failing, true) {
            let (signal, url) = (self.signal.as_str(), without_secrets(&self.target.url));
            tracing::warn!(target: TARGET, signal, url, why, lost, "nothing reaches the collector");
        }
    }
}

/// `otlp_dropped_total` of that signal.
pub(super) fn dropped(signal: Signal) -> IntCounter {
    process::metrics().otlp_dropped.with_label_values(&[signal.as_str()])
}

fn shortened(pause: Duration) -> Duration {
    pause.mul_f64(1.0 - fastrand::f64() / 2.0)
}
