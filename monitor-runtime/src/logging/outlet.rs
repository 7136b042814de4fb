//! One output between those who log and its writer's thread: the queue, the rate limit, and what both have to say.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tracing::{Event, Level};

use super::fields::Key;
use super::layer::Sink;
use super::limit::{Place, RateLimit, Ruling};
use super::line::{Line, Look, rank};
use super::queue::Queue;
use super::visit::write_integer;
use crate::families::process::{self, LEVELS};
use crate::json;

/// How long a flush waits for a sink that takes nothing.
pub(super) const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What producers, the writer and the guard share.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) queue: Queue,
    look: Look,
    limit: Option<RateLimit>,
    /// `log_events_total` at the level of lines about lines.
    reports: IntCounter,
}

impl Outlet {
    pub(super) fn new(queue: Queue, look: Look, limit: Option<RateLimit>) -> Self {
        let reports = process::metrics().log_events.with_label_values(&[LEVELS[rank(Level::WARN)]]);
        Self { queue, look, limit, reports }
    }

    /// Queues a line on each callsite whose period is over, or on all where there is no `now`, and has the writer woken
    /// for the next. Never waits for room.
    pub(super) fn say_what_was_left_out(&self, line: &mut Line, now: Option<Instant>) {
        let Some(limit) = &self.limit else { return };
        let (said, next) = limit.due(now);
        for (place, suppressed) in said {
            self.reports.inc();
            self.queue.offer(line.render_own(self.look, Level::WARN, "log lines suppressed", |fields| {
                fields.add(Key::new("suppressed"), |out| write_integer(out, suppressed));
                write_place(&place, |name, text| {
                    fields.add(Key::new(name), |out| json::write_str(out, text));
                });
            }));
        }
        if let Some(next) = next {
            self.queue.remind(next);
        }
    }

    /// The line that says how many were dropped, which the writer adds to what it writes.
    pub(super) fn report<'l>(&self, line: &'l mut Line, dropped: u64) -> [&'l [u8]; 2] {
        line.render_own(self.look, Level::WARN, "log lines dropped", |fields| {
            fields.add(Key::new("dropped"), |out| write_integer(out, dropped));
        })
    }

    /// Counts that line as emitted and written.
    pub(super) fn count_report(&self) {
        self.reports.inc();
        self.queue.count_written();
    }

    #[cold]
    fn judge(&self, limit: &RateLimit, event: &Event<'_>) -> bool {
        let ruling = limit.judge(event, Instant::now());
        if let Ruling::LeftOutFirst(end) = ruling {
            self.queue.remind(end);
        }
        ruling == Ruling::Passes
    }
}

fn write_place(place: &Place, mut write: impl FnMut(&str, &str)) {
    if let Some(at) = &place.at {
        write("callsite", at);
    }
    write("callsite.logger", &place.logger);
    write("callsite.level", LEVELS[rank(place.level)]);
}

/// The layer's end; the writer ends after it.
#[derive(Debug)]
pub(crate) struct Producer {
    outlet: Arc<Outlet>,
}

impl Producer {
    pub(super) fn new(outlet: Arc<Outlet>) -> Self {
        Self { outlet }
    }
}

impl Sink for Producer {
    #[inline]
    fn push(&self, line: [&[u8]; 2]) {
        self.outlet.queue.push(line);
    }

    #[inline]
    fn admits(&self, event: &Event<'_>) -> bool {
        self.outlet.limit.as_ref().is_none_or(|limit| self.outlet.judge(limit, event))
    }

    fn refuse(&self) {
        self.outlet.queue.refuse();
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.outlet.say_what_was_left_out(&mut Line::default(), None);
        self.outlet.queue.close();
    }
}

/// All that there are, for those who have no guard.
static OUTLETS: Mutex<Vec<Weak<Outlet>>> = Mutex::new(Vec::new());

/// Flushes all logging of the process as [`LogGuard::flush`] does, within the same five seconds.
pub(crate) fn flush_all() {
    flush_all_until(Instant::now() + FLUSH_TIMEOUT);
}

/// The same, until `deadline` at the latest.
pub(super) fn flush_all_until(deadline: Instant) {
    let outlets = OUTLETS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for outlet in outlets.iter().filter_map(Weak::upgrade) {
        outlet.queue.flush(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Flushes all logging of the process, and says whether that was done in time.
#[cfg(feature = "http")]
pub(crate) fn flush_within(timeout: Duration) -> bool {
    let outlets = OUTLETS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let deadline = Instant::now() + timeout;
    let mut left = outlets.iter().filter_map(Weak::upgrade);
    left.all(|outlet| outlet.queue.flush(deadline.saturating_duration_since(Instant::now())))
}

/// When the last flushes of a process that is being stopped are over.
static LAST_FLUSH: Mutex<Option<Instant>> = Mutex::new(None);

/// Has guards that are dropped wait no longer than until then, and for a moment.
#[cfg(feature = "http")]
pub(crate) fn end_flushes_by(deadline: Option<Instant>) {
    *LAST_FLUSH.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
}

/// How often a guard that is dropped looks whether it may still wait, and how long it waits at least.
const LOOK: Duration = Duration::from_millis(100);

fn may_still_wait() -> bool {
    let deadline = *LAST_FLUSH.lock().unwrap_or_else(PoisonError::into_inner);
    deadline.is_none_or(|deadline| Instant::now() < deadline)
}

/// Keeps log lines from being lost at the end of a process: dropping it writes out what waits.
///
/// Hold it for as long as the process logs, in `main` as a rule. Lines emitted after it was dropped are still
/// written if the process lives long enough; nothing waits for them any more, and they wait for nothing.
///
/// Dropping it, like [`flush`](Self::flush), blocks the thread for up to five seconds when the sink is stalled.
#[derive(Debug)]
#[must_use = "dropped at once, it flushes at once, and nothing waits for the last lines of the process"]
pub struct LogGuard {
    outlet: Arc<Outlet>,
    patience: Duration,
}

impl LogGuard {
    pub(super) fn new(outlet: Arc<Outlet>) -> Self {
        let mut outlets = OUTLETS.lock().unwrap_or_else(PoisonError::into_inner);
        outlets.retain(|outlet| outlet.strong_count() > 0);
        outlets.push(Arc::downgrade(&outlet));
        drop(outlets);
        Self { outlet, patience: FLUSH_TIMEOUT }
    }

    /// Waits until everything emitted before the call has been written and flushed, or five seconds have passed, and
    /// says whether it was done in time. Lines that the sink refused are done as well; they count as dropped. A line that the
    /// sink took in part is tried once more.
    pub fn flush(&self) -> bool {
        self.outlet.queue.flush(self.patience)
    }

    #[cfg(test)]
    pub(super) fn be_patient_for(&mut self, patience: Duration) {
        self.patience = patience;
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.outlet.say_what_was_left_out(&mut Line::default(), None);
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.outlet.queue.flush(left.min(LOOK)) || left.is_zero() || !may_still_wait() {
                break;
            }
        }
        let left = if may_still_wait() { deadline.saturating_duration_since(Instant::now()) } else { LOOK };
        self.outlet.queue.end_torn(left);
        self.outlet.queue.stop_blocking();
    }
}
