//! Calls whose body stays where it is, in the function itself.

use super::Verdict;
use super::guard::Call;
use super::lineage::CallId;
use super::outcome::Outcome;

/// A call whose body is not handed over: it stands between [`begin`] and [`Begun::end`], in the function itself.
#[derive(Debug)]
pub struct Begun {
    call: Call,
    around: CallId,
}

/// Begins a call in place. Unless it is ended, it ends as a panic when it is dropped.
#[inline]
pub fn begin(mut call: Call) -> Begun {
    let around = call.begin();
    Begun { call, around }
}

impl Begun {
    /// Ends the call with what its result says.
    #[inline]
    pub fn end<R>(mut self, result: R, judge: impl for<'r> FnOnce(&'r R) -> Verdict<'r>) -> R {
        let verdict = judge(&result);
        self.call.settle(self.around, verdict.outcome);
        self.call.log(&verdict);
        result
    }
}

impl Drop for Begun {
    #[inline]
    fn drop(&mut self) {
        if !self.call.has_ended() {
            self.call.settle(self.around, Outcome::Panic);
        }
    }
}

/// A call that cannot end in an error: it ends with the guard.
#[derive(Debug)]
pub struct Guard {
    begun: Begun,
    was_panicking: bool,
}

/// Begins a call that ends when the guard is dropped: as a panic if the thread unwinds by then, else as a success.
#[inline]
pub fn guard(call: Call) -> Guard {
    Guard { begun: begin(call), was_panicking: std::thread::panicking() }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // A call made by a destructor, while the thread unwinds already, is judged by itself.
        if self.was_panicking || !std::thread::panicking() {
            let Begun { call, around } = &mut self.begun;
            call.settle(*around, Outcome::Success);
        }
    }
}
