//! Flushes of one output or of all, each with a deadline, and the end of logging.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::pipeline::Pipeline;
use crate::logging::record::line::Line;

/// How long a flush waits for a stalled output.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// All pipelines of the process, to be flushed without a guard: by the panic hook, the `log` crate, and a monitor that
/// stops.
static PIPELINES: Mutex<Vec<Weak<Pipeline>>> = Mutex::new(Vec::new());

/// Flushes all outputs of the process like [`LogGuard::flush`], within five seconds in total.
pub(crate) fn flush_all() {
    flush_all_until(Instant::now() + FLUSH_TIMEOUT);
}

/// Flushes all outputs of the process until `deadline`.
pub(crate) fn flush_all_until(deadline: Instant) {
    let pipelines = PIPELINES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for pipeline in pipelines.iter().filter_map(Weak::upgrade) {
        pipeline.queue.flush(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Flushes all outputs of the process. Returns whether that was done in time.
pub(crate) fn flush_within(timeout: Duration) -> bool {
    let pipelines = PIPELINES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let deadline = Instant::now() + timeout;
    let mut left = pipelines.iter().filter_map(Weak::upgrade);
    left.all(|pipeline| pipeline.queue.flush(deadline.saturating_duration_since(Instant::now())))
}

/// The deadline of all flushes while the process is stopping.
static LAST_FLUSH: Mutex<Option<Instant>> = Mutex::new(None);

/// Limits how long dropped guards wait: until `deadline`, and [`POLL_INTERVAL`] more.
pub(crate) fn end_flushes_by(deadline: Option<Instant>) {
    *LAST_FLUSH.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
}

/// The interval at which a dropped guard checks for a new deadline, and the least time that it waits.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

fn may_still_wait() -> bool {
    let deadline = *LAST_FLUSH.lock().unwrap_or_else(PoisonError::into_inner);
    deadline.is_none_or(|deadline| Instant::now() < deadline)
}

/// Writes all queued lines when it is dropped, so that none is lost at the end of the process.
///
/// Hold it for as long as the process logs, usually in `main`. Lines emitted after the drop are still written if the
/// process lives long enough, but nothing waits for them, and their threads do not wait for room.
///
/// Dropping it, like [`flush`](Self::flush), blocks the thread for at most five seconds if the output is stalled.
#[derive(Debug)]
#[must_use = "if dropped at once, it flushes at once, and the last lines of the process may be lost"]
pub struct LogGuard {
    pipeline: Arc<Pipeline>,
    timeout: Duration,
}

impl LogGuard {
    pub(crate) fn new(pipeline: Arc<Pipeline>) -> Self {
        let mut pipelines = PIPELINES.lock().unwrap_or_else(PoisonError::into_inner);
        pipelines.retain(|pipeline| pipeline.strong_count() > 0);
        pipelines.push(Arc::downgrade(&pipeline));
        drop(pipelines);
        Self { pipeline, timeout: FLUSH_TIMEOUT }
    }

    /// Waits until every line emitted before the call is written and flushed. Returns `false` after five seconds.
    ///
    /// A line that the output refused counts as dropped, and is finished as well. A partly written line is tried once
    /// more.
    pub fn flush(&self) -> bool {
        self.pipeline.queue.flush(self.timeout)
    }

    #[cfg(test)]
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.pipeline.report_suppressed(&mut Line::default(), None);
        let deadline = Instant::now() + self.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.pipeline.queue.flush(left.min(POLL_INTERVAL)) || left.is_zero() || !may_still_wait() {
                break;
            }
        }
        let left =
            if may_still_wait() { deadline.saturating_duration_since(Instant::now()) } else { POLL_INTERVAL };
        self.pipeline.queue.end_torn(left);
        self.pipeline.queue.stop_blocking();
    }
}
