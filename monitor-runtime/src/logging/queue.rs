//! Lines on their way to the writer's thread: a buffer bounded by bytes, which the writer swaps for an empty one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;

use super::layer::Sink;
use crate::registry::process;

/// How long the writer collects lines before it takes them, so that a busy program does not wake it for each.
const LINGER: Duration = Duration::from_millis(1);

/// The writer gives buffers that grew past this back to the allocator.
const KEPT_BYTES: usize = 1_024 * 1_024;

/// A queue with one writer and any number of producers.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Something for the writer to do.
    work: Condvar,
    /// The writer has done something.
    progress: Condvar,
    capacity: usize,
    /// `log_events_dropped_total`.
    dropped: IntCounter,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, each with its line feed.
    lines: Vec<u8>,
    /// Bytes the writer has taken and not yet written; they still fill the queue.
    in_flight: usize,
    /// Lines ever queued, how many of them the writer has taken, and how many have been written or given up.
    accepted: u64,
    taken: u64,
    settled: u64,
    /// Lines there was no room for, since the writer last asked.
    refused: u64,
    is_asleep: bool,
    /// The writer is not to wait for more lines.
    is_urgent: bool,
    stage: Stage,
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

impl Queue {
    /// Makes a queue that holds `capacity` bytes of lines.
    pub(super) fn new(capacity: usize) -> Self {
        Self::counting(capacity, process::metrics().log_dropped.clone())
    }

    /// The same, with a counter of dropped lines that may be another than the process's.
    pub(super) fn counting(capacity: usize, dropped: IntCounter) -> Self {
        Self { state: Mutex::default(), work: Condvar::new(), progress: Condvar::new(), capacity, dropped }
    }

    /// Says that no more lines will come; the writer ends when it has written those there are.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.stage == Stage::Open {
            state.stage = Stage::Closed;
        }
        drop(state);
        self.work.notify_one();
    }

    /// Waits until every line queued so far has been written or given up, and says whether that came to be in time.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let state = self.lock();
        let target = state.accepted;
        let waited = self.progress.wait_timeout_while(state, timeout, |state| state.settled < target);
        waited.unwrap_or_else(PoisonError::into_inner).0.settled >= target
    }

    /// Waits for lines, swaps them into `batch`, and says how many were refused meanwhile; `None` at the end.
    pub(super) fn next(&self, batch: &mut Vec<u8>) -> Option<u64> {
        batch.clear();
        batch.shrink_to(KEPT_BYTES);
        let mut state = self.linger();
        state.is_asleep = true;
        let is_idle =
            |state: &mut State| state.lines.is_empty() && state.refused == 0 && state.stage == Stage::Open;
        let mut state = self.work.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        state.is_asleep = false;
        if state.lines.is_empty() && state.refused == 0 {
            return None;
        }
        std::mem::swap(&mut state.lines, batch);
        state.in_flight = batch.len();
        state.taken = state.accepted;
        Some(std::mem::take(&mut state.refused))
    }

    fn linger(&self) -> MutexGuard<'_, State> {
        let has_time = |state: &mut State| !state.is_urgent && state.stage == Stage::Open;
        let waited = self.work.wait_timeout_while(self.lock(), LINGER, has_time);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.is_urgent = false;
        state
    }

    /// Says that the batch last taken has been written, but for the `lost` last lines of it.
    pub(super) fn settle(&self, lost: u64) {
        self.dropped.inc_by(lost);
        let mut state = self.lock();
        state.in_flight = 0;
        state.settled = state.taken;
        drop(state);
        self.progress.notify_all();
    }

    /// Says that nothing will be written any more: what waits is dropped, and so is whatever comes.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        self.dropped.inc_by(state.accepted - state.settled);
        state.settled = state.accepted;
        state.stage = Stage::Ended;
        state.lines = Vec::new();
        state.in_flight = 0;
        drop(state);
        self.progress.notify_all();
    }

    /// No code of a user's runs under the lock, so that it cannot be left half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.is_asleep = false;
        drop(state);
        self.work.notify_one();
    }
}

impl Sink for Queue {
    fn push(&self, [head, tail]: [&[u8]; 2]) {
        let mut state = self.lock();
        let filled = state.lines.len() + state.in_flight + head.len() + tail.len();
        if state.stage == Stage::Ended || filled > self.capacity {
            state.refused += 1;
            self.dropped.inc();
        } else {
            state.lines.extend_from_slice(head);
            state.lines.extend_from_slice(tail);
            state.accepted += 1;
        }
        let is_filling = filled > self.capacity / 2 && !state.is_urgent;
        if is_filling {
            state.is_urgent = true;
        }
        if state.is_asleep || is_filling {
            self.wake(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(capacity: usize) -> Queue {
        // Tests that run side by side share the process's counter.
        Queue::counting(capacity, IntCounter::new("dropped", "Lines dropped.").unwrap())
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
    fn what_does_not_fit_is_refused_and_counted_until_the_batch_is_settled() {
        let (queue, mut batch) = (queue(8), Vec::new());
        queue.push([b"1234", b"\n"]);
        queue.push([b"123", b"\n"]);
        assert_eq!(queue.dropped.get(), 1);
        assert_eq!(queue.next(&mut batch), Some(1));
        queue.push([b"123", b"\n"]);
        assert_eq!(queue.dropped.get(), 2, "the batch still fills the queue while it is being written");
        queue.settle(0);
        queue.push([b"123", b"\n"]);
        assert_eq!(queue.dropped.get(), 2);
        assert_eq!(queue.next(&mut batch), Some(1));
        assert_eq!(text(&batch), "123\n");
    }

    #[test]
    fn a_line_larger_than_the_queue_is_refused_and_still_wakes_the_writer() {
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
    fn an_ended_queue_counts_what_waits_and_what_comes_as_dropped() {
        let (queue, mut batch) = (queue(64), Vec::new());
        queue.push([b"a", b"\n"]);
        assert_eq!(queue.next(&mut batch), Some(0));
        queue.push([b"b", b"\n"]);
        queue.settle(1);
        queue.end();
        assert_eq!(queue.dropped.get(), 2);
        queue.push([b"c", b"\n"]);
        assert_eq!(queue.dropped.get(), 3);
        assert!(queue.flush(Duration::ZERO), "nothing waits for a writer any more");
    }

    #[test]
    fn a_flush_gives_up_on_a_writer_that_does_not_come() {
        let queue = queue(64);
        assert!(queue.flush(Duration::ZERO), "an empty queue has nothing to wait for");
        queue.push([b"a", b"\n"]);
        assert!(!queue.flush(Duration::from_millis(1)));
    }
}
