//! Calls whose body stays where it is, in the function itself.

use super::Verdict;
use super::guard::{Call, Running};
use crate::families::Outcome;

/// A call whose body stands between [`begin`] and [`Begun::end`], in the function itself.
#[derive(Debug)]
pub struct Begun<'c>(Running<'c>);

/// Begins a call in place. Unless it is ended, it ends when it is dropped.
#[inline]
pub fn begin(call: &mut Call) -> Begun<'_> {
    Begun(call.run())
}

impl Begun<'_> {
    /// Ends the call as the verdict on its result says.
    #[inline]
    pub fn end(self, verdict: &Verdict<'_>) {
        self.0.settle(verdict);
    }
}

/// A call that cannot end in an error: it ends with the guard.
#[derive(Debug)]
pub struct Guard<'c> {
    call: &'c mut Call,
    was_panicking: bool,
}

/// Begins a call that ends when the guard is dropped: as a panic if the thread unwinds by then, else as a success.
#[inline]
pub fn guard(call: &mut Call) -> Guard<'_> {
    call.resume();
    Guard { call, was_panicking: std::thread::panicking() }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        // A call made by a destructor, while the thread unwinds already, is judged by itself.
        if self.was_panicking || !std::thread::panicking() {
            self.call.leave_as(Outcome::Success);
        }
    }
}
