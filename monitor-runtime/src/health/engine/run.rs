//! One run of a check, in its own task.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::error_chain::panic_message;
use crate::health::checks::{Check, CheckResult};

/// A run in progress; dropping it aborts the run.
pub(crate) struct Run {
    task: JoinHandle<(CheckResult, Duration)>,
    ended: bool,
}

/// How a run ended.
pub(crate) enum Ended {
    Returned(CheckResult, Duration),
    Panicked(String),
    /// The runtime was shut down.
    Aborted,
}

impl Run {
    /// Starts a run; its duration counts from `started`.
    pub(crate) fn start(check: Arc<dyn Check>, started: Instant) -> Self {
        let task = tokio::spawn(async move {
            let result = check.run().await;
            (result, started.elapsed())
        });
        wake_another_worker();
        Self { task, ended: false }
    }

    /// Waits for the end of the run.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not affect the run, which can be waited for again.
    pub(crate) async fn end(&mut self) -> Ended {
        let joined = (&mut self.task).await;
        self.ended = true;
        match joined {
            Ok((result, took)) => Ended::Returned(result, took),
            Err(error) => Ended::from(error),
        }
    }

    /// Aborts the run and waits until it has ended. A run that blocks its thread ends only when it unblocks.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the run aborted. It can be waited for again.
    pub(crate) async fn stop(&mut self) {
        self.task.abort();
        if !self.ended {
            self.end().await;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl From<JoinError> for Ended {
    fn from(error: JoinError) -> Self {
        error
            .try_into_panic()
            .map_or(Self::Aborted, |payload| Self::Panicked(panic_message(&*payload).to_owned()))
    }
}

/// Makes tokio wake a second worker.
///
/// A task that a worker spawns runs next on that worker; only a second spawned task makes tokio wake another worker. If
/// the run then blocks its thread while all other workers sleep, no one drives the runtime's timers, and neither the
/// check's deadline nor any other timer fires until it unblocks.
fn wake_another_worker() {
    drop(tokio::spawn(async {}));
}
