//! Lines on their way to the writer's thread: a buffer bounded by bytes, which the writer swaps for an empty one.
//!
//! ```text
//! producers ──push──▶ [ lines ]  ──next: swapped──▶  [ batch ] ──▶ sink ──settle_but──▶ written or dropped
//!                     │ accepted                      │ taken                            │ settled
//!                     └──────── lines + in_flight ≤ capacity ────────┘
//! ```
//!
//! `settled ≤ taken ≤ accepted` count lines since the start, each moved on at its step; a flush waits until `settled` has
//! reached the `accepted` of its call. Every line is counted once, as written or as dropped:
//!
//! * a line that does not fit is refused and counts as dropped at once; `refused` is for the report alone;
//! * a line of a batch is counted by [`Queue::settle_but`], unless the sink took it in part: a torn line is counted when it
//!   is completed or given up;
//! * what is left when the writer ends is counted by [`Queue::end`], and so is each line that comes later.
//!
//! The stages go one way. `Open`: lines come. `Closed`: the last producer is gone, and the writer ends once it has written
//! the rest. `Ended`: there is no writer, nobody waits, every line is dropped.
//!
//! The writer sleeps while there is nothing to do, and is woken by the first line. It then lingers for a millisecond, so
//! that a burst costs one wake-up and few writes; a queue that is half full, a refused line or a flush ends the linger.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;

use crate::families::process;

/// What happens to a line that does not fit into the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The line is dropped and counted in `log_events_dropped_total`; the default. A line `log lines dropped` reports their
    /// number as soon as there is room. No thread waits.
    #[default]
    Drop,
    /// The thread waits until there is room, however long that takes. An asynchronous task blocks its worker meanwhile. Lines
    /// are lost only if the output fails.
    ///
    /// The threads of a monitor, which end the process and serve the admin port, never wait; their lines are dropped instead.
    /// No thread waits for an output that is given up, or once the [`LogGuard`](crate::logging::LogGuard) is dropped: lines
    /// that do not fit are dropped from then on. A line larger than the queue is taken once the queue is empty. An
    /// output of your own must not wait for another thread that logs.
    Block,
}

/// How long the writer collects lines before it takes them, so that a busy program does not wake it for each.
const LINGER: Duration = Duration::from_millis(1);

/// The writer gives buffers that grew past this back to the allocator.
const KEPT_BYTES: usize = 1_024 * 1_024;

thread_local! {
    /// A line comes here through `tracing`, which takes no argument that could say so.
    static NEVER_WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Has lines of this thread refused where lines of others would wait, so that its work never depends on an output.
#[cfg(feature = "http")]
pub(crate) fn never_wait_on_this_thread() {
    NEVER_WAITS.set(true);
}

/// Runs `log`, whose lines are refused where others would wait.
pub(crate) fn without_waiting(log: impl FnOnce()) {
    /// Also if it panics.
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
    /// Something for the writer to do.
    work: Condvar,
    /// The writer has done something.
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
    /// Whole lines, each with its line feed.
    lines: Vec<u8>,
    /// Bytes the writer has taken and not yet written; they still fill the queue.
    in_flight: usize,
    /// Lines ever queued.
    accepted: u64,
    /// Those of them that the writer has taken.
    taken: u64,
    /// Those of them that have been written or given up.
    settled: u64,
    /// Lines refused for want of room since the writer last took a batch.
    refused: u64,
    is_asleep: bool,
    /// The writer is not to wait for more lines.
    is_urgent: bool,
    /// A thread whose line does not fit waits for room.
    is_blocking: bool,
    torn: TornState,
    /// When the writer is to be woken though there are no lines.
    reminder: Option<Instant>,
    stage: Stage,
}

/// The state of a line that the sink has taken in part.
#[derive(Debug, Default)]
struct TornState {
    /// There is one, which counts as neither written nor dropped yet.
    is_there: bool,
    /// How often the writer has written, or tried to.
    tries: u64,
    /// One that the next try leaves torn is given up.
    is_last_try: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// No more lines will come.
    Closed,
    /// Nobody will write them any more.
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

    /// Takes a line, in two parts; if there is no room, waits for it where the queue blocks, else refuses the line.
    pub(crate) fn push(&self, line: [&[u8]; 2]) {
        let state = self.lock();
        let size = line[0].len() + line[1].len();
        if state.stage == Stage::Ended || state.filled() + size > self.capacity {
            self.push_when_there_is_room(state, line);
        } else {
            self.take(state, line);
        }
    }

    /// The same, but never waits.
    pub(crate) fn offer(&self, line: [&[u8]; 2]) {
        let state = self.lock();
        if state.stage == Stage::Ended || state.filled() + line[0].len() + line[1].len() > self.capacity {
            self.refuse_in(state);
        } else {
            self.take(state, line);
        }
    }

    /// Counts a line that was lost before it came here.
    pub(crate) fn refuse(&self) {
        self.refuse_in(self.lock());
    }

    /// A line larger than the queue is taken once nothing else waits: by choice none is lost.
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

    /// Wakes the writer if it sleeps, and if `is_urgent` from its linger as well.
    fn wake_if(&self, mut state: MutexGuard<'_, QueueState>, is_urgent: bool) {
        state.is_urgent |= is_urgent;
        if state.is_asleep || is_urgent {
            state.is_asleep = false;
            drop(state);
            self.work.notify_one();
        }
    }

    /// Has the writer woken at `time`, lines or not.
    pub(crate) fn remind(&self, time: Instant) {
        let mut state = self.lock();
        state.reminder = Some(state.reminder.map_or(time, |known| known.min(time)));
        drop(state);
        self.work.notify_one();
    }

    /// Closes the queue: no more lines come, and the writer ends when it has written the rest.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Open {
            state.stage = Stage::Closed;
        }
        drop(state);
        self.work.notify_one();
    }

    /// From here on nobody waits for room.
    pub(crate) fn stop_blocking(&self) {
        self.lock().is_blocking = false;
        self.progress.notify_all();
    }

    /// Waits until every line queued so far is written or given up. Returns `false` if that takes longer than `timeout`. A
    /// torn line is tried once more.
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

    /// Tries a last time to complete a torn line, which counts as dropped otherwise, as do others from then on.
    pub(crate) fn end_torn(&self, timeout: Duration) {
        let mut state = self.lock();
        state.torn.is_last_try = true;
        if state.torn.is_there {
            self.hurry(&mut state);
        }
        drop(self.progress.wait_timeout_while(state, timeout, |state| state.torn.is_there));
    }

    /// Wakes the writer at once, lines or not.
    fn hurry(&self, state: &mut QueueState) {
        state.is_urgent = true;
        if state.torn.is_there {
            state.reminder = Some(Instant::now());
        }
        self.work.notify_one();
    }

    /// Whether a line that stays torn now is to be given up.
    pub(crate) fn is_last_try(&self) -> bool {
        self.lock().torn.is_last_try
    }

    /// Notes that the writer has tried to write, and whether a line is left torn that is to be completed.
    pub(crate) fn note_torn(&self, is_torn: bool) {
        let mut state = self.lock();
        state.torn.is_there = is_torn;
        state.torn.tries += 1;
        drop(state);
        self.progress.notify_all();
    }

    /// Waits for lines or the reminder, swaps the lines into `batch`, and returns the number of lines refused meanwhile;
    /// `None` at the end.
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

    /// Settles the batch last taken: all of it is written, except its last `lost` lines and the `torn` ones before them.
    pub(crate) fn settle_but(&self, lost: u64, torn: u64) {
        self.tally.dropped.inc_by(lost);
        let mut state = self.lock();
        self.tally.written.inc_by((state.taken - state.settled).saturating_sub(lost + torn));
        state.in_flight = 0;
        state.settled = state.taken;
        drop(state);
        self.progress.notify_all();
    }

    /// Counts a line that belongs to no batch as written: one of the writer's own, or one that was torn before.
    pub(crate) fn count_written(&self) {
        self.tally.written.inc();
    }

    /// Counts a line that was torn as dropped.
    pub(crate) fn count_dropped(&self) {
        self.tally.dropped.inc();
    }

    /// Ends the queue without a writer: lines that wait are dropped, and so are all later ones.
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

    /// No code of a user's runs under the lock, so a panic cannot leave the state half changed.
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

    /// Tests that run side by side share the process's counters.
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
        assert_eq!(queue.tally.dropped.get(), 2, "the batch still fills the queue while it is being written");
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
        assert!(queue.flush(Duration::ZERO), "nothing waits for a writer any more");
    }

    #[test]
    fn a_flush_gives_up_on_a_writer_that_does_not_come() {
        let queue = queue(64);
        assert!(queue.flush(Duration::ZERO), "an empty queue has nothing to wait for");
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

    /// Runs `push` on a thread of its own while `meanwhile` runs.
    fn beside(queue: &Queue, line: &[u8], meanwhile: impl FnOnce()) {
        std::thread::scope(|scope| {
            scope.spawn(|| queue.push([line, b"\n"]));
            meanwhile();
        });
    }

    /// Gives the other thread time to do wrong, or to begin to wait.
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
            assert_eq!(queue.lock().accepted, 1, "what is being written still fills the queue");
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
            assert!(queue.tally.dropped.get() >= 2, "and nobody waits from then on");
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
        queue.remind(Instant::now() + Duration::from_mins(1));
        queue.remind(Instant::now());
        assert_eq!(queue.next(&mut batch), Some(0));
        assert_eq!(text(&batch), "");
    }
}
