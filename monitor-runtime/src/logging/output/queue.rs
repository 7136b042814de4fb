//! The queue of lines for the writer thread: a buffer bounded by bytes, which the writer swaps for an empty one.
//!
//! ```text
//! producers ──push──▶ [ lines ]  ──next: swapped──▶  [ batch ] ──▶ sink ──settle_but──▶ written or dropped
//!                     │ accepted                      │ taken                            │ settled
//!                     └──────── lines + in_flight ≤ capacity ────────┘
//! ```
//!
//! `settled ≤ taken ≤ accepted` count lines since the start; each step raises one of them. A flush waits until
//! `settled` reaches the value that `accepted` had at the call. Every line is counted once, as written or as dropped:
//!
//! * A line that does not fit is refused and counts as dropped at once; `refused` is only for the report.
//! * [`Queue::settle_but`] counts the lines of a batch, except a partly written ("torn") one, which is counted when it
//!   is completed or given up.
//! * [`Queue::end`] counts the lines left when the writer ends, and each later line.
//!
//! The stages only go forward. `Open`: lines arrive. `Closed`: the last producer is gone, and the writer ends once it
//! has written the rest. `Ended`: there is no writer, no thread waits, every line is dropped.
//!
//! The writer sleeps until the first line wakes it. It then lingers for a millisecond, so that a burst costs one
//! wake-up and few writes. A half full queue, a refused line or a flush ends the linger.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use crate::families::process;

/// The treatment of a line that does not fit into the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The line is dropped and counted in `log_events_dropped_total`; the default. A line `log lines dropped` reports
    /// the number as soon as there is room. No thread waits.
    #[default]
    Drop,
    /// The thread waits until there is room, however long that takes. An asynchronous task blocks its worker meanwhile.
    /// Lines are lost only if the output fails.
    ///
    /// The monitor's own threads, which drain the process and serve the admin port, never wait; their lines are dropped
    /// instead. No thread waits once the output is given up or the [`LogGuard`](crate::logging::LogGuard) is dropped;
    /// lines that do not fit are dropped from then on. A line larger than the queue is accepted when the queue is
    /// empty. A custom output must not wait for another thread that logs.
    Block,
}

/// How long the writer collects lines before it takes them, so that a busy program does not wake it for each line.
const LINGER: Duration = Duration::from_millis(1);

/// Buffers that grew beyond this are returned to the allocator.
const KEPT_BYTES: usize = 1_024 * 1_024;

thread_local! {
    /// Lines come through `tracing`, which takes no argument that could say this.
    static NEVER_WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Refuses lines of this thread instead of waiting for room, so that its work never depends on an output.
pub(crate) fn never_wait_on_this_thread() {
    NEVER_WAITS.set(true);
}

/// Runs `log`; its lines are refused instead of waiting for room.
pub(crate) fn without_waiting(log: impl FnOnce()) {
    /// Restores the flag even if `log` panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            NEVER_WAITS.set(self.0);
        }
    }
    let _before = Before(NEVER_WAITS.replace(true));
    log();
}

/// A queue with one writer and any number of producers.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<QueueState>,
    /// Signals that the writer has something to do.
    work: Condvar,
    /// Signals that the writer has finished something.
    progress: Condvar,
    capacity: usize,
    tally: Tally,
}

/// Counts finished lines.
#[derive(Debug)]
pub(crate) struct Tally {
    /// `log_events_written_total`.
    pub(crate) written: IntCounter,
    /// `log_events_dropped_total`.
    pub(crate) dropped: IntCounter,
}

impl Tally {
    /// The process's counters.
    pub(crate) fn of_process() -> Self {
        let metrics = process::metrics();
        Self { written: metrics.log_written.clone(), dropped: metrics.log_dropped.clone() }
    }
}

#[derive(Debug, Default)]
struct QueueState {
    /// Complete lines, each with its line feed.
    lines: Vec<u8>,
    /// The bytes that the writer has taken but not yet written; they still count against the capacity.
    in_flight: usize,
    /// The number of lines ever queued.
    accepted: u64,
    /// How many of these the writer has taken.
    taken: u64,
    /// How many of these have been written or given up.
    settled: u64,
    /// The number of lines refused for lack of room since the writer last took a batch.
    refused: u64,
    is_asleep: bool,
    /// The writer must not linger.
    is_urgent: bool,
    /// Threads wait for room.
    is_blocking: bool,
    torn: TornState,
    /// When to wake the writer even without lines.
    reminder: Option<Instant>,
    stage: Stage,
}

/// The state of a partly written line.
#[derive(Debug, Default)]
struct TornState {
    /// There is one, and it counts as neither written nor dropped yet.
    is_there: bool,
    /// How often the writer has written or tried to.
    tries: u64,
    /// If the next try does not complete it, it is given up.
    is_last_try: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// No more lines will arrive.
    Closed,
    /// There is no writer any more.
    Ended,
}

impl QueueState {
    fn filled(&self) -> usize {
        self.lines.len() + self.in_flight
    }

    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.refused == 0 && self.stage == Stage::Open
    }
}

impl Queue {
    /// Makes a queue that holds `capacity` bytes of lines.
    pub(crate) fn new(capacity: usize, when_full: WhenFull, tally: Tally) -> Self {
        let state = QueueState { is_blocking: when_full == WhenFull::Block, ..QueueState::default() };
        Self { state: Mutex::new(state), work: Condvar::new(), progress: Condvar::new(), capacity, tally }
    }

    /// Queues a line, given in two parts. If there is no room, a blocking queue waits; otherwise the line is refused.
    pub(crate) fn push(&self, line: [&[u8]; 2]) {
        let state = self.lock();
        let size = line[0].len() + line[1].len();
        if state.stage == Stage::Ended || state.filled() + size > self.capacity {
            self.push_when_there_is_room(state, line);
        } else {
            self.take(state, line);
        }
    }

    /// Queues a line, or refuses it if there is no room.
    pub(crate) fn offer(&self, line: [&[u8]; 2]) {
        let state = self.lock();
        if state.stage == Stage::Ended || state.filled() + line[0].len() + line[1].len() > self.capacity {
            self.refuse_in(state);
        } else {
            self.take(state, line);
        }
    }

    /// Counts a line that was lost before it got here.
    pub(crate) fn refuse(&self) {
        self.refuse_in(self.lock());
    }

    /// Waits for room. A line larger than the queue is accepted when the queue is empty, since blocking promises to
    /// lose none.
    #[cold]
    fn push_when_there_is_room(&self, mut state: MutexGuard<'_, QueueState>, line: [&[u8]; 2]) {
        while state.is_blocking && state.stage != Stage::Ended && !NEVER_WAITS.get() {
            if state.filled() == 0 || state.filled() + line[0].len() + line[1].len() <= self.capacity {
                return self.take(state, line);
            }
            state.is_urgent = true;
            self.work.notify_one();
            state = self.progress.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.refuse_in(state);
    }

    fn take(&self, mut state: MutexGuard<'_, QueueState>, [head, tail]: [&[u8]; 2]) {
        state.lines.extend_from_slice(head);
        state.lines.extend_from_slice(tail);
        state.accepted += 1;
        let is_filling = state.filled() > self.capacity / 2 && !state.is_urgent;
        self.wake_if(state, is_filling);
    }

    fn refuse_in(&self, mut state: MutexGuard<'_, QueueState>) {
        state.refused += 1;
        self.tally.dropped.inc();
        let is_news = !state.is_urgent;
        self.wake_if(state, is_news);
    }

    /// Wakes the writer if it sleeps; if `is_urgent`, also from its linger.
    fn wake_if(&self, mut state: MutexGuard<'_, QueueState>, is_urgent: bool) {
        state.is_urgent |= is_urgent;
        if state.is_asleep || is_urgent {
            state.is_asleep = false;
            drop(state);
            self.work.notify_one();
        }
    }

    /// Schedules the writer for `time`, even without lines.
    pub(crate) fn remind(&self, time: Instant) {
        let mut state = self.lock();
        state.reminder = Some(state.reminder.map_or(time, |known| known.min(time)));
        drop(state);
        self.work.notify_one();
    }

    /// Closes the queue: no more lines arrive, and the writer ends once it has written the rest.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Open {
            state.stage = Stage::Closed;
        }
        drop(state);
        self.work.notify_one();
    }

    /// Stops waiting for room, for all threads and all later lines.
    pub(crate) fn stop_blocking(&self) {
        self.lock().is_blocking = false;
        self.progress.notify_all();
    }

    /// Waits until every line queued so far is written or given up. Returns `false` after `timeout`. A torn line is
    /// tried once more.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let mut state = self.lock();
        let (accepted, tries) = (state.accepted, state.torn.tries);
        let is_due = move |state: &QueueState| {
            state.settled < accepted || state.torn.is_there && state.torn.tries == tries
        };
        if is_due(&state) {
            self.hurry(&mut state);
        }
        let waited = self.progress.wait_timeout_while(state, timeout, |state| is_due(state));
        !is_due(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Tries to complete a torn line for the last time. If that fails it counts as dropped, and so do later torn lines.
    pub(crate) fn end_torn(&self, timeout: Duration) {
        let mut state = self.lock();
        state.torn.is_last_try = true;
        if state.torn.is_there {
            self.hurry(&mut state);
        }
        drop(self.progress.wait_timeout_while(state, timeout, |state| state.torn.is_there));
    }

    /// Wakes the writer at once, even without lines.
    fn hurry(&self, state: &mut QueueState) {
        state.is_urgent = true;
        if state.torn.is_there {
            state.reminder = Some(Instant::now());
        }
        self.work.notify_one();
    }

    /// Whether a line that is still torn must be given up.
    pub(crate) fn is_last_try(&self) -> bool {
        self.lock().torn.is_last_try
    }

    /// Notes an attempt of the writer, and whether it left a torn line to be completed.
    pub(crate) fn note_torn(&self, is_torn: bool) {
        let mut state = self.lock();
        state.torn.is_there = is_torn;
        state.torn.tries += 1;
        drop(state);
        self.progress.notify_all();
    }

    /// Waits for lines or the scheduled time, swaps the lines into `batch`, and returns the number of lines refused
    /// since the last call; `None` at the end.
    pub(crate) fn next(&self, batch: &mut Vec<u8>) -> Option<u64> {
        batch.clear();
        batch.shrink_to(KEPT_BYTES);
        let mut state = self.linger();
        state.is_asleep = true;
        let mut state = self.wait_for_work(state);
        state.is_asleep = false;
        if state.lines.is_empty() && state.refused == 0 && state.stage != Stage::Open {
            return None;
        }
        std::mem::swap(&mut state.lines, batch);
        state.in_flight = batch.len();
        state.taken = state.accepted;
        Some(std::mem::take(&mut state.refused))
    }

    fn linger(&self) -> MutexGuard<'_, QueueState> {
        let has_time = |state: &mut QueueState| !state.is_urgent && state.stage == Stage::Open;
        let waited = self.work.wait_timeout_while(self.lock(), LINGER, has_time);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.is_urgent = false;
        state
    }

    fn wait_for_work<'q>(&'q self, mut state: MutexGuard<'q, QueueState>) -> MutexGuard<'q, QueueState> {
        while state.is_idle() {
            let Some(reminder) = state.reminder else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = reminder.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.reminder = None;
                break;
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Settles the last batch: everything is written, except its last `lost` lines and the `torn` lines before them.
    pub(crate) fn settle_but(&self, lost: u64, torn: u64) {
        self.tally.dropped.inc_by(lost);
        let mut state = self.lock();
        self.tally.written.inc_by((state.taken - state.settled).saturating_sub(lost + torn));
        state.in_flight = 0;
        state.settled = state.taken;
        drop(state);
        self.progress.notify_all();
    }

    /// Counts a line outside of a batch as written: a report of the writer, or a completed torn line.
    pub(crate) fn count_written(&self) {
        self.tally.written.inc();
    }

    /// Counts a torn line as dropped.
    pub(crate) fn count_dropped(&self) {
        self.tally.dropped.inc();
    }

    /// Ends the queue without a writer: queued lines are dropped, and so are all later ones.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        self.tally.dropped.inc_by(state.accepted - state.settled);
        state.settled = state.accepted;
        state.stage = Stage::Ended;
        state.lines = Vec::new();
        state.in_flight = 0;
        state.torn.is_there = false;
        drop(state);
        self.progress.notify_all();
    }

    /// No user code runs under the lock, so a panic cannot leave the state inconsistent.
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(capacity: usize) -> Queue {
        Queue::new(capacity, WhenFull::Drop, tally())
    }

    /// Parallel tests share the counters of the process, so this queue has its own.
    fn tally() -> Tally {
        let counter = |name| IntCounter::new(name, "Lines.").unwrap();
        Tally { written: counter("written"), dropped: counter("dropped") }
    }

    fn text(batch: &[u8]) -> &str {
        std::str::from_utf8(batch).unwrap()
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (queue, mut batch) = (queue(64), Vec::new());
        queue.push([b"a", b"1\n"]);
        queue.push([b"b", b"2\n"]);
        assert_eq!(queue.next(&mut batch), Some(0));
        assert_eq!(text(&batch), "a1\nb2\n");
    }

    #[test]
    fn a_batch_fills_the_queue_until_it_is_settled() {
        let (queue, mut batch) = (queue(8), Vec::new());
        queue.push([b"1234", b"\n"]);
        queue.push([b"123", b"\n"]);
        assert_eq!(queue.tally.dropped.get(), 1);
        assert_eq!(queue.next(&mut batch), Some(1));
        queue.push([b"123", b"\n"]);
        assert_eq!(queue.tally.dropped.get(), 2, "a batch in flight does not fill the queue");
        queue.settle_but(0, 0);
        queue.push([b"123", b"\n"]);
        assert_eq!(queue.tally.dropped.get(), 2);
        assert_eq!(queue.next(&mut batch), Some(1));
        assert_eq!(text(&batch), "123\n");
    }

    #[test]
    fn a_refused_line_larger_than_the_queue_wakes_the_writer() {
        let (queue, mut batch) = (queue(4), Vec::new());
        queue.push([b"12345", b"\n"]);
        assert_eq!(queue.next(&mut batch), Some(1));
        assert_eq!(text(&batch), "");
    }

    #[test]
    fn a_closed_queue_gives_out_what_it_has_and_then_ends() {
        let (queue, mut batch) = (queue(64), Vec::new());
        queue.push([b"a", b"\n"]);
        queue.close();
        assert_eq!(queue.next(&mut batch), Some(0));
        assert_eq!(queue.next(&mut batch), None);
    }

    #[test]
    fn an_ended_queue_drops_waiting_and_later_lines() {
        let (queue, mut batch) = (queue(64), Vec::new());
        queue.push([b"a", b"\n"]);
        assert_eq!(queue.next(&mut batch), Some(0));
        queue.push([b"b", b"\n"]);
        queue.settle_but(1, 0);
        queue.end();
        assert_eq!(queue.tally.dropped.get(), 2);
        queue.push([b"c", b"\n"]);
        assert_eq!(queue.tally.dropped.get(), 3);
        assert!(queue.flush(Duration::ZERO), "a flush waits without a writer");
    }

    #[test]
    fn a_flush_gives_up_on_a_writer_that_does_not_come() {
        let queue = queue(64);
        assert!(queue.flush(Duration::ZERO), "a flush of an empty queue waits");
        queue.push([b"a", b"\n"]);
        assert!(!queue.flush(Duration::from_millis(1)));
    }

    #[test]
    fn a_settled_batch_counts_written_and_lost_lines() {
        let (queue, mut batch) = (queue(64), Vec::new());
        (0..3).for_each(|_| queue.push([b"a", b"\n"]));
        assert_eq!(queue.next(&mut batch), Some(0));
        queue.push([b"b", b"\n"]);
        queue.settle_but(1, 0);
        assert_eq!((queue.tally.written.get(), queue.tally.dropped.get()), (2, 1));
        queue.end();
        assert_eq!((queue.tally.written.get(), queue.tally.dropped.get()), (2, 2));
    }

    /// Runs `push` on another thread while `meanwhile` runs.
    fn beside(queue: &Queue, line: &[u8], meanwhile: impl FnOnce()) {
        std::thread::scope(|scope| {
            scope.spawn(|| queue.push([line, b"\n"]));
            meanwhile();
        });
    }

    /// Gives the other thread time to fail, or to begin waiting.
    fn a_moment() {
        std::thread::sleep(Duration::from_millis(20));
    }

    #[test]
    fn a_blocking_queue_takes_a_line_when_there_is_room() {
        let queue = Queue::new(8, WhenFull::Block, tally());
        queue.push([b"1234567", b"\n"]);
        let mut batch = Vec::new();
        beside(&queue, b"next", || {
            assert_eq!(queue.next(&mut batch), Some(0));
            a_moment();
            assert_eq!(queue.lock().accepted, 1, "a batch in flight does not fill the queue");
            queue.settle_but(0, 0);
        });
        assert_eq!(queue.next(&mut batch), Some(0));
        assert_eq!((text(&batch), queue.tally.dropped.get()), ("next\n", 0));
    }

    #[test]
    fn a_blocking_queue_takes_a_larger_line_once_it_is_empty() {
        let queue = Queue::new(4, WhenFull::Block, tally());
        queue.push([b"1", b"\n"]);
        let mut batch = Vec::new();
        beside(&queue, b"larger than the queue", || {
            assert_eq!(queue.next(&mut batch), Some(0));
            queue.settle_but(0, 0);
        });
        assert_eq!(queue.next(&mut batch), Some(0));
        assert_eq!(text(&batch), "larger than the queue\n");
    }

    #[test]
    fn waiting_threads_continue_after_the_writer_or_the_guard() {
        for let_go in [Queue::end, Queue::stop_blocking] {
            let queue = Queue::new(4, WhenFull::Block, tally());
            queue.push([b"123", b"\n"]);
            beside(&queue, b"late", || {
                a_moment();
                let_go(&queue);
            });
            assert!(queue.tally.dropped.get() >= 1);
            queue.push([b"later", b"\n"]);
            assert!(queue.tally.dropped.get() >= 2, "threads still wait for room");
        }
    }

    #[test]
    fn an_offered_line_is_refused_by_a_full_blocking_queue() {
        let queue = Queue::new(4, WhenFull::Block, tally());
        queue.push([b"123", b"\n"]);
        queue.offer([b"own", b"\n"]);
        assert_eq!(queue.tally.dropped.get(), 1);
    }

    #[test]
    fn a_reminder_wakes_the_writer_though_there_are_no_lines() {
        let (queue, mut batch) = (queue(64), Vec::new());
        queue.remind(Instant::now() + Duration::from_secs(60));
        queue.remind(Instant::now());
        assert_eq!(queue.next(&mut batch), Some(0));
        assert_eq!(text(&batch), "");
    }
}
