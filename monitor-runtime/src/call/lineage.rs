//! Which call runs inside which, as far as it takes to log an error once.
//!
//! An error that travels outward by `?` is returned by one tracked call after another. It is the same error as long as its
//! text, sources included, is or ends with the text that was logged inside: that is what passing on, wrapping as a source and
//! putting words before it (`format!("search: {error}")`) come to.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use super::fault::Fault;

/// How many errors are remembered until the calls around them have ended; past that, one may be logged twice.
const KEPT: usize = 256;
/// A longer text is not remembered.
const KEPT_BYTES: usize = 4_096;

thread_local! {
    static CURRENT: Cell<CallId> = const { Cell::new(CallId::NONE) };
}

/// Tells calls apart that run at the same time: the moment at which they began, in the clock's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallId(u64);

impl CallId {
    pub(super) const NONE: Self = Self(0);

    #[inline]
    pub(super) fn began_at(ticks: u64) -> Self {
        Self(ticks)
    }

    /// The call whose body this thread is in.
    #[inline]
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }

    /// Makes a future part of the call's body, wherever it is polled.
    #[cfg(all(feature = "logging", feature = "health"))]
    pub(crate) fn carry<F: Future>(self, part: F) -> Carried<F> {
        Carried { part, call: self }
    }

    /// Notes that this thread is in the call's body, and gives the call that it was in.
    #[inline]
    pub(super) fn make_current(self) -> Self {
        CURRENT.replace(self)
    }

    /// As [`make_current`](Self::make_current), until the guard is dropped.
    #[inline]
    pub(crate) fn enter(self) -> Inside {
        Inside { before: self.make_current() }
    }
}

/// See [`CallId::enter`].
#[derive(Debug)]
pub(crate) struct Inside {
    before: CallId,
}

impl Drop for Inside {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

#[cfg(all(feature = "logging", feature = "health"))]
pin_project_lite::pin_project! {
    /// See [`CallId::carry`].
    #[derive(Debug)]
    pub(crate) struct Carried<F> {
        #[pin]
        part: F,
        call: CallId,
    }
}

#[cfg(all(feature = "logging", feature = "health"))]
impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<F::Output> {
        let this = self.project();
        let _inside = this.call.enter();
        this.part.poll(cx)
    }
}

/// Errors that were logged, each with the call around the one that logged it.
static LOGGED: Mutex<VecDeque<(CallId, String)>> = Mutex::new(VecDeque::new());

/// Takes note of the error that `call` ends with, and says whether a call inside it has logged it already.
pub(super) fn was_logged(call: CallId, parent: CallId, fault: &Fault<'_>) -> bool {
    let mut text = String::new();
    // A `Display` that fails has said what it could.
    let _ = write!(text, "{fault}");
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = logged.iter().find(|(around, inner)| *around == call && is_same(&text, inner));
    let was_logged = known.is_some();
    let noted = known.map_or(text, |(_, inner)| inner.clone());
    if parent != CallId::NONE && noted.len() <= KEPT_BYTES {
        logged.truncate(KEPT - 1);
        logged.push_front((parent, noted));
    }
    was_logged
}

/// Whether `outer` is the error `inner`, or has it behind a colon.
fn is_same(outer: &str, inner: &str) -> bool {
    let before = outer.strip_suffix(inner).filter(|_| !inner.is_empty());
    before.is_some_and(|before| before.is_empty() || before.ends_with(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_known_as_it_is_wrapped_or_prefixed_and_not_by_words_it_shares() {
        assert!(is_same("disk gone", "disk gone"));
        assert!(is_same("search failed: disk gone", "disk gone"));
        assert!(!is_same("config file not found: /etc/x", "not found"));
        assert!(!is_same("page not found", "not found"));
        assert!(!is_same("anything", ""));
    }
}
