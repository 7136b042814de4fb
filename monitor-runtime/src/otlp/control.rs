//! Commands to an exporting thread, and waiting for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The shared state of one exporting thread and the rest of the process.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<State>,
    /// Signals that the thread has something to do.
    work: Condvar,
    /// Signals that the thread has finished something.
    progress: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The number of flushes requested, and of those done.
    asked: u64,
    answered: u64,
    /// A full batch is queued.
    is_urgent: bool,
    /// The deadline of the last request, once the thread is told to end.
    end: Option<Instant>,
    has_ended: bool,
}

/// One round of the thread's loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// The flushes requested by then, which this round completes.
    asked: u64,
    pub(super) is_last: bool,
}

impl Control {
    /// Waits for a full batch, a flush, the end, or until `pause` has passed.
    pub(super) fn next_turn(&self, pause: Duration) -> Turn {
        let is_idle =
            |state: &mut State| !state.is_urgent && state.asked == state.answered && state.end.is_none();
        let waited = self.work.wait_timeout_while(self.lock(), pause, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.is_urgent = false;
        Turn { asked: state.asked, is_last: state.end.is_some() }
    }

    /// Waits between two tries of a batch. The command to end interrupts it.
    pub(super) fn pause(&self, pause: Duration) {
        let goes_on = |state: &mut State| state.end.is_none();
        // The caller checks the state again, whatever ended the wait.
        let _ = self.work.wait_timeout_while(self.lock(), pause, goes_on);
    }

    /// The deadline of the last request, if the thread is told to end.
    pub(super) fn end(&self) -> Option<Instant> {
        self.lock().end
    }

    /// Notes that all flushes requested by that turn are done.
    pub(super) fn answer(&self, turn: Turn) {
        self.lock().answered = turn.asked;
        self.progress.notify_all();
    }

    /// Wakes the thread for a full batch.
    pub(super) fn hurry(&self) {
        self.lock().is_urgent = true;
        self.work.notify_one();
    }

    /// Requests a flush; [`wait`](Self::wait) waits for it.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.lock();
        state.asked += 1;
        let asked = state.asked;
        drop(state);
        self.work.notify_one();
        asked
    }

    /// Waits for a flush. Returns whether it was done in time.
    pub(super) fn wait(&self, asked: u64, until: Instant) -> bool {
        let is_open = |state: &mut State| state.answered < asked && !state.has_ended;
        self.wait_while(until, is_open).answered >= asked
    }

    /// Tells the thread to send the queued items and to end.
    pub(super) fn stop(&self, end: Instant) {
        self.lock().end = Some(end);
        self.work.notify_one();
    }

    /// Waits until the thread has ended.
    pub(super) fn wait_for_end(&self, until: Instant) {
        drop(self.wait_while(until, |state| !state.has_ended));
    }

    /// Notes that the thread has ended.
    pub(super) fn ended(&self) {
        self.lock().has_ended = true;
        self.progress.notify_all();
    }

    fn wait_while(&self, until: Instant, is_open: impl FnMut(&mut State) -> bool) -> MutexGuard<'_, State> {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.progress.wait_timeout_while(self.lock(), left, is_open);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes the end of the thread on drop, a panic included, so that no caller waits for a dead thread.
pub(super) struct Ending<'a>(pub(super) &'a Control);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}
