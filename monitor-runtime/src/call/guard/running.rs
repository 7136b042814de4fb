//! The guard of a part of a call's body.

use super::super::Verdict;
use super::super::lineage::CallId;
use super::super::observer;
use super::{Call, Stage};
use crate::families::Outcome;
use crate::families::calls::CallKind;

/// A part of a call's body that runs. Dropped by a body that unwinds, it ends the call as a panic; dropped otherwise, as a
/// success, since a macro's `return` went past the end of a body that is in its place.
#[derive(Debug)]
pub(in crate::call) struct Running<'c> {
    pub(super) call: &'c mut Call,
    /// The call that the thread was in before.
    pub(super) around: CallId,
}

impl Running<'_> {
    /// The body waits: dropped now, the call ends as cancelled, or as the error that one of its items was.
    #[inline]
    pub(in crate::call) fn suspend(self) {
        self.call.leave(self.around);
        self.call.stage = Stage::Suspended;
        std::mem::forget(self);
    }

    /// The body has ended, and the call with it, as `verdict` says.
    #[inline]
    pub(in crate::call) fn settle(self, verdict: &Verdict<'_>) {
        self.call.settle(self.around, verdict.outcome);
        self.call.log(verdict);
        std::mem::forget(self);
    }

    /// Takes note of an item of the call's stream.
    pub(in crate::call) fn observe(&mut self, verdict: &Verdict<'_>) {
        if verdict.outcome == Outcome::Error {
            self.call.is_failed = true;
            self.call.log(verdict);
        }
    }

    /// Records how long the first item of the call's stream took, unless it is a query's, of which no metric tells.
    pub(in crate::call) fn first_item(&self) {
        if self.call.site.kind() != CallKind::Query {
            let Call { series, started, span, .. } = &*self.call;
            let nanos = series.first_item(*started, || observer::identify(span.as_ref()));
            observer::notify(|observer| observer.first_item_yielded(span.as_ref(), nanos));
        }
    }

    /// The call's stream has ended, and the call with it.
    pub(in crate::call) fn finish(self) {
        let outcome = if self.call.is_failed { Outcome::Error } else { Outcome::Success };
        self.call.settle(self.around, outcome);
        std::mem::forget(self);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Ended already if it was the log line of its error that panicked.
        if !self.call.has_ended() {
            let outcome = if std::thread::panicking() { Outcome::Panic } else { Outcome::Success };
            self.call.settle(self.around, outcome);
        }
    }
}
