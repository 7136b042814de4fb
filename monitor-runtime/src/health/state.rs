//! What is known of a check at a moment.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// How a run ended; never changed once published.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) healthy: bool,
    pub(crate) message: Cow<'static, str>,
    /// From the run's start to its end, or to its deadline.
    pub(crate) latency: Duration,
    /// When it was read.
    pub(crate) at: Instant,
}

/// A check's last reading and its run in progress, published together.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) last: Option<Arc<Reading>>,
    /// When the run started that has not ended yet, be it past its deadline or not.
    pub(crate) running_since: Option<Instant>,
    /// Whether any run passed; it never turns back.
    pub(crate) passed_once: bool,
}

impl State {
    /// Whether a run has been going on for `timeout` or longer.
    ///
    /// Probes ask this of the clock, so a deadline holds for them even where a stalled runtime fires no timer.
    pub(crate) fn is_overdue(&self, timeout: Duration, now: Instant) -> bool {
        self.running_since.is_some_and(|since| now.saturating_duration_since(since) >= timeout)
    }
}

/// A check as a body shows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct View<'a> {
    pub(crate) name: &'a str,
    pub(crate) healthy: bool,
    pub(crate) message: Cow<'static, str>,
    /// `None` before the first run has ended.
    pub(crate) latency: Option<Duration>,
}
