//! Which call runs inside which, as far as it takes to log an error once.
//!
//! An error that travels outward by `?` is returned by one tracked call after another. It is the same error as long as its
//! text, sources included, contains the text that was logged inside.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::fault::Fault;

/// How many errors are remembered until the calls around them have ended; past that, one may be logged twice.
const KEPT: usize = 256;
/// Enough of a text to tell errors apart.
const KEPT_BYTES: usize = 1_024;

thread_local! {
    static CURRENT: Cell<CallId> = const { Cell::new(CallId::NONE) };
}

/// Tells calls apart that run at the same time: the moment at which they began, in the clock's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallId(u64);

impl CallId {
    const NONE: Self = Self(0);

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

    /// Notes that this thread is in the call's body, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(self) -> Inside {
        Inside { before: CURRENT.replace(self) }
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
    let text = fault.to_string();
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = logged
        .iter()
        .find(|(around, inner)| *around == call && !inner.is_empty() && text.contains(inner.as_str()));
    let (was_logged, noted) = match known {
        Some((_, inner)) => (true, inner.clone()),
        None => (false, text[..text.floor_char_boundary(KEPT_BYTES)].to_owned()),
    };
    if parent != CallId::NONE {
        logged.truncate(KEPT - 1);
        logged.push_front((parent, noted));
    }
    was_logged
}
