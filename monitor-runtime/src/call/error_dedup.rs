//! Recognizes an error that a call inside has already logged, so that each error is logged once.
//!
//! An error that travels outward by `?` is returned by one tracked call after another, and may be converted on the way.
//! It is the same error as long as its text repeats the text logged inside; [`ErrorText::repeats`] has the rules.
//!
//! A call finds the enclosing call in two ways: by a thread-local, which `context` carries to other threads, and by the
//! enclosing span, which `in_current_span` carries. The first works even if the span is disabled; the second costs
//! nothing unless a call fails.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tracing::Span;
use tracing::span::Id;
use tracing_core::callsite::Identifier;

use super::call_id::CallId;
use crate::error_chain::{ErrorText, LoggedText};

/// The maximum number of errors remembered until the enclosing calls have ended. Beyond it, an error may be logged
/// twice.
const KEPT: usize = 256;
/// The maximum size of a remembered text in bytes.
const KEPT_BYTES: usize = 4_096;

/// The span of a call that encloses another one, which may run on another thread that the span was carried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpanId(Id, Identifier);

impl SpanId {
    /// The id of an open span with a listener.
    pub(super) fn of(span: &Span) -> Option<Self> {
        Some(Self(span.id()?, span.metadata()?.callsite()))
    }

    /// The thread's current span, if it may be a call's.
    fn current() -> Option<Self> {
        let span = Span::current();
        let first = span.metadata()?.fields().iter().next()?;
        ["agent_id", "skill_id", "query", "model"].contains(&first.name()).then(|| Self::of(&span)).flatten()
    }
}

/// A logged error.
struct Logged {
    /// The enclosing call, on the same thread or carried there.
    parent: CallId,
    /// The enclosing span, if it is another call's.
    around: Option<SpanId>,
    text: LoggedText,
}

impl Logged {
    fn is_inside(&self, call: CallId, span: Option<&SpanId>) -> bool {
        self.parent == call || (span.is_some() && self.around.as_ref() == span)
    }
}

static LOGGED: Mutex<VecDeque<Logged>> = Mutex::new(VecDeque::new());

/// Notes the error that `call` ends with, and returns whether a call inside has already logged it.
///
/// The thread has left the call's own span, unless the call continues as a stream.
pub(super) fn logged_inside(call: CallId, parent: CallId, span: Option<&Span>, said: &ErrorText) -> bool {
    let own = span.and_then(SpanId::of);
    let around = SpanId::current().filter(|around| own.as_ref() != Some(around));
    let mut logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = logged.iter().find(|known| known.is_inside(call, own.as_ref()) && said.repeats(&known.text));
    let logged_inside = known.is_some();
    if parent != CallId::NONE || around.is_some() {
        let text = known.map_or_else(|| said.logged(), |known| known.text.clone());
        if text.len() <= KEPT_BYTES {
            logged.truncate(KEPT - 1);
            logged.push_front(Logged { parent, around, text });
        }
    }
    logged_inside
}
