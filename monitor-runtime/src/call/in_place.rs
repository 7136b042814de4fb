//! Calls whose body stays in place, in the function itself.

use super::Verdict;
use super::guard::{Call, Running};
use crate::families::Outcome;

/// A call whose body is between [`begin`] and [`Begun::end`], in the function itself.
#[derive(Debug)]
pub struct Begun<'c>(Running<'c>);

/// Begins a call in place. If it is not ended explicitly, it ends when it is dropped.
#[inline]
pub fn begin(call: &mut Call) -> Begun<'_> {
    Begun(call.run_whole())
}

impl Begun<'_> {
    /// Ends the call by the verdict on its result.
    #[inline]
    pub fn end(self, verdict: &Verdict<'_>) {
        self.0.settle(verdict);
    }
}

/// A call that cannot return an error. It ends when the guard is dropped.
#[derive(Debug)]
pub struct Guard<'c> {
    call: &'c mut Call,
    was_panicking: bool,
}

/// Begins a call that ends when the guard is dropped: as a panic if the thread has started to unwind since, otherwise
/// as a success.
#[inline]
pub fn guard(call: &mut Call) -> Guard<'_> {
    call.resume();
    Guard { call, was_panicking: std::thread::panicking() }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        // If the thread was already unwinding, this call was made by a destructor, whose success is its own.
        if self.was_panicking || !std::thread::panicking() {
            self.call.leave_as(Outcome::Success);
        }
    }
}
