//! Which call runs inside which, as far as it takes to log an error once.
//!
//! An error that travels outward by `?` is returned by one tracked call after another. It is the same error as long as its
//! text, sources included, is or ends with the text that was logged inside: that is what passing on, wrapping as a source and
//! putting words before it (`format!("search: {error}")`) come to.
//!
//! A call finds the one around it in two ways: by a thread-local, which `context` carries to other threads, and by the span
//! around it, which anybody carries by `in_current_span`. The first works where the span is disabled, the second costs a call
//! that does not fail nothing.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tracing::Span;
use tracing::span::Id;
use tracing_core::callsite::Identifier;

use crate::error_chain::{ErrorText, ends_with};

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

/// A call's span, where it is the one around another call: that may run on another thread, with the span taken along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpanId(Id, Identifier);

impl SpanId {
    /// Of an open span that somebody listens to.
    pub(super) fn of(span: &Span) -> Option<Self> {
        Some(Self(span.id()?, span.metadata()?.callsite()))
    }

    /// The span that this thread is in, if it can be a call's.
    fn current() -> Option<Self> {
        let span = Span::current();
        let first = span.metadata()?.fields().iter().next()?;
        ["agent_id", "skill_id", "query"].contains(&first.name()).then(|| Self::of(&span)).flatten()
    }
}

/// An error that was logged.
struct Logged {
    /// The call around the one that logged it, on the same thread or carried there.
    parent: CallId,
    /// The span around it, if that is another call's.
    around: Option<SpanId>,
    text: String,
}

impl Logged {
    fn is_inside(&self, call: CallId, span: Option<&SpanId>) -> bool {
        self.parent == call || (span.is_some() && self.around.as_ref() == span)
    }
}

static LOGGED: Mutex<VecDeque<Logged>> = Mutex::new(VecDeque::new());

/// Takes note of the error that `call` ends with, and says whether a call inside it has logged it already.
///
/// The call's own span has been left, unless the call goes on.
pub(super) fn logged_inside(call: CallId, parent: CallId, span: Option<&Span>, said: &ErrorText) -> bool {
    let text = &said.whole;
    let own = span.and_then(SpanId::of);
    let around = SpanId::current().filter(|around| own.as_ref() != Some(around));
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let known =
        logged.iter().find(|known| known.is_inside(call, own.as_ref()) && ends_with(text, &known.text));
    let logged_inside = known.is_some();
    let noted = known.map_or(text, |known| &known.text);
    if (parent != CallId::NONE || around.is_some()) && noted.len() <= KEPT_BYTES {
        let text = noted.clone();
        logged.truncate(KEPT - 1);
        logged.push_front(Logged { parent, around, text });
    }
    logged_inside
}
