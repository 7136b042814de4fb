//! One run of a check, on a task of its own.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

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
    /// Its runtime shut down around it.
    Aborted,
}

impl Run {
    /// Starts a run, timed from `started`.
    pub(crate) fn start(check: Arc<dyn Check>, started: Instant) -> Self {
        let task = tokio::spawn(async move {
            let result = check.run().await;
            (result, started.elapsed())
        });
        wake_another_worker();
        Self { task, ended: false }
    }

    /// Waits for the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the run goes on and can be waited for again.
    pub(crate) async fn end(&mut self) -> Ended {
        let joined = (&mut self.task).await;
        self.ended = true;
        match joined {
            Ok((result, took)) => Ended::Returned(result, took),
            Err(error) => Ended::from(error),
        }
    }

    /// Aborts what has not ended and waits until it really has: a run that blocks its thread takes its time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the run aborted; it can be waited for again.
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
        error.try_into_panic().map_or(Self::Aborted, |payload| Self::Panicked(text_of(payload)))
    }
}

/// A panic's message, as far as it has one.
fn text_of(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            payload.downcast_ref::<&str>().copied().unwrap_or("a panic without a message").to_owned()
        }
    }
}

/// Makes tokio wake a second worker.
///
/// A task spawned on a worker runs next on that same worker, and only a second one makes tokio wake another. If
/// the run then blocks its thread while every other worker sleeps, nobody drives the runtime's timers, and
/// neither the check's deadline nor anything else fires until the block ends.
fn wake_another_worker() {
    drop(tokio::spawn(async {}));
}
