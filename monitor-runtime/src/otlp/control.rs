//! How an exporting thread is told what to do, and how others wait for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between one exporting thread and the rest of the process.
#[derive(Debug, Default)]
pub(super) struct Control {
    state: Mutex<State>,
    /// Something for the thread to do.
    work: Condvar,
    /// The thread has done something.
    progress: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How often somebody asked for everything to be sent, and how many of those have been answered.
    asked: u64,
    answered: u64,
    /// There is enough for a batch.
    is_urgent: bool,
    /// When the last request is to have ended, once the thread is to end.
    end: Option<Instant>,
    has_ended: bool,
}

/// Why the thread was woken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Answers everybody who had asked by then.
    asked: u64,
    pub(super) is_last: bool,
}

impl Control {
    /// Waits for the next turn: a full batch, a flush, the end, or `pause` gone by.
    pub(super) fn next_turn(&self, pause: Duration) -> Turn {
        let is_idle =
            |state: &mut State| !state.is_urgent && state.asked == state.answered && state.end.is_none();
        let waited = self.work.wait_timeout_while(self.lock(), pause, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.is_urgent = false;
        Turn { asked: state.asked, is_last: state.end.is_some() }
    }

    /// Waits between two tries of one batch. It is cut short when the thread is to end.
    pub(super) fn pause(&self, pause: Duration) {
        let goes_on = |state: &mut State| state.end.is_none();
        // Whatever woke it, the caller looks again at what to do.
        let _ = self.work.wait_timeout_while(self.lock(), pause, goes_on);
    }

    /// When the last request is to have ended, if the thread is to end.
    pub(super) fn end(&self) -> Option<Instant> {
        self.lock().end
    }

    /// Says that what was asked for by that turn is done.
    pub(super) fn answer(&self, turn: Turn) {
        self.lock().answered = turn.asked;
        self.progress.notify_all();
    }

    /// Wakes the thread for a full batch.
    pub(super) fn hurry(&self) {
        self.lock().is_urgent = true;
        self.work.notify_one();
    }

    /// Asks for everything to be sent; [`wait`](Self::wait) tells when it is.
    pub(super) fn ask(&self) -> u64 {
        let mut state = self.lock();
        state.asked += 1;
        let asked = state.asked;
        drop(state);
        self.work.notify_one();
        asked
    }

    /// Waits until that is answered, and says whether it was in time.
    pub(super) fn wait(&self, asked: u64, until: Instant) -> bool {
        let is_open = |state: &mut State| state.answered < asked && !state.has_ended;
        self.wait_while(until, is_open).answered >= asked
    }

    /// Tells the thread to send what there is by then, and to end.
    pub(super) fn stop(&self, end: Instant) {
        self.lock().end = Some(end);
        self.work.notify_one();
    }

    /// Waits until the thread has ended.
    pub(super) fn wait_for_end(&self, until: Instant) {
        drop(self.wait_while(until, |state| !state.has_ended));
    }

    /// Says that the thread will do nothing more.
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

/// Says that the thread has ended when it goes, also by a panic: nobody may wait for a thread that is gone.
pub(super) struct Ending<'a>(pub(super) &'a Control);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}
