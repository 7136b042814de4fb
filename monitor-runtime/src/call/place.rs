//! The place of running code among tracked calls: the call and the agent that it is inside.

use std::cell::Cell;

use super::call_id::{CallId, Inside};
use crate::families::call_series::CallSeries;

thread_local! {
    static AGENT: Cell<Option<&'static CallSeries>> = const { Cell::new(None) };
}

/// The innermost agent whose body this thread is in.
#[inline]
pub(super) fn current_agent() -> Option<&'static CallSeries> {
    AGENT.get()
}

/// Makes the agent the thread's current one, and returns the previous one.
#[inline]
pub(super) fn replace_agent(agent: Option<&'static CallSeries>) -> Option<&'static CallSeries> {
    AGENT.replace(agent)
}

/// The call and the agent around running code, to be carried to another thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    call: CallId,
    agent: Option<&'static CallSeries>,
}

impl Place {
    /// The place of the calling code.
    pub(crate) fn current() -> Self {
        Self { call: CallId::current(), agent: current_agent() }
    }

    /// Makes the place the thread's current one until the guard is dropped.
    pub(crate) fn enter(self) -> InPlace {
        InPlace { _call: self.call.enter(), around: replace_agent(self.agent) }
    }
}

/// The guard of [`Place::enter`].
#[derive(Debug)]
pub(crate) struct InPlace {
    _call: Inside,
    around: Option<&'static CallSeries>,
}

impl Drop for InPlace {
    fn drop(&mut self) {
        replace_agent(self.around);
    }
}
