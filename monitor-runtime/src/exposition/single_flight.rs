//! One piece of work for all who ask for it at the same time.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Work whose result several threads share.
///
/// Who asks gets what was begun after they asked, and so shows all that had happened by then. Those who ask while the work is
/// under way share the next turn of it: however many they are, there are two turns at most.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Turns ever begun.
    begun: u64,
    is_under_way: bool,
    /// Threads that wait for a turn.
    waiting: usize,
    /// The last turn that ended, and its result for as long as somebody waits.
    ended: Option<(u64, T)>,
}

thread_local! {
    static IS_WORKING: Cell<bool> = const { Cell::new(false) };
}

impl<T: Clone> Turns<T> {
    pub(crate) fn new() -> Self {
        let state = State { begun: 0, is_under_way: false, waiting: 0, ended: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The result of a turn that began after the call: of one that another thread does, or of `work`.
    pub(crate) fn share(&self, work: impl FnOnce() -> T) -> T {
        // Work that asks for itself would wait for its own end.
        if IS_WORKING.get() {
            return work();
        }
        let mut state = self.lock();
        let wanted = state.begun + 1;
        state.waiting += 1;
        while state.is_under_way && !state.has_ended(wanted) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        if state.has_ended(wanted) {
            return state.take();
        }
        state.begun += 1;
        state.is_under_way = true;
        let turn = Turn { turns: self, number: state.begun };
        drop(state);
        IS_WORKING.set(true);
        turn.end(work())
    }

    /// How many threads wait for a turn.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> State<T> {
    fn has_ended(&self, turn: u64) -> bool {
        self.ended.as_ref().is_some_and(|(ended, _)| *ended >= turn)
    }

    /// The last result, which goes with the last who waited for it.
    fn take(&mut self) -> T {
        match self.ended.take() {
            Some((turn, result)) => {
                if self.waiting > 0 {
                    self.ended = Some((turn, result.clone()));
                }
                result
            }
            None => unreachable!("asked for once it has been seen"),
        }
    }
}

/// A turn under way. Dropped before its end, by work that panics, it leaves the work to those who wait.
struct Turn<'t, T: Clone> {
    turns: &'t Turns<T>,
    number: u64,
}

impl<T: Clone> Turn<'_, T> {
    fn end(self, result: T) -> T {
        let mut state = self.turns.lock();
        state.ended = (state.waiting > 0).then(|| (self.number, result.clone()));
        result
    }
}

impl<T: Clone> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        IS_WORKING.set(false);
        self.turns.lock().is_under_way = false;
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    impl<T> Turns<T> {
        fn wait_for(&self, is_so: impl Fn(&State<T>) -> bool) {
            while !is_so(&self.state.lock().unwrap()) {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn however_many_ask_during_a_turn_they_share_the_next() {
        const ASKING: usize = 8;
        let (turns, worked) = (Turns::new(), AtomicUsize::new(0));
        let work = || worked.fetch_add(1, Ordering::Relaxed) + 1;
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                turns.share(|| {
                    turns.wait_for(|state| state.waiting == ASKING);
                    work()
                })
            });
            turns.wait_for(|state| state.is_under_way);
            let others: Vec<_> = (0..ASKING).map(|_| scope.spawn(|| turns.share(work))).collect();
            assert_eq!(first.join().unwrap(), 1);
            for other in others {
                assert_eq!(
                    other.join().unwrap(),
                    2,
                    "what was begun before it was asked for may be out of date"
                );
            }
        });
        assert_eq!(turns.share(work), 3);
        assert!(turns.state.lock().unwrap().ended.is_none(), "nothing is kept for nobody");
    }

    #[test]
    fn work_that_panics_is_done_by_those_who_wait() {
        let turns = Turns::new();
        std::thread::scope(|scope| {
            let panics = scope.spawn(|| {
                let turn = || {
                    turns.wait_for(|state| state.waiting == 1);
                    panic!("on purpose")
                };
                catch_unwind(AssertUnwindSafe(|| turns.share(turn)))
            });
            turns.wait_for(|state| state.is_under_way);
            assert_eq!(turns.share(|| 7), 7);
            assert!(panics.join().unwrap().is_err());
        });
    }

    #[test]
    fn work_may_ask_for_itself() {
        let turns = Turns::new();
        assert_eq!(turns.share(|| turns.share(|| 1) + 1), 2);
    }
}
