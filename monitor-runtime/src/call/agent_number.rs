//! The innermost agent around running code, for which model calls spend tokens.

use std::cell::Cell;

use super::call_id::CallId;
use crate::families::agents;
use crate::families::call_series::CallSeries;

thread_local! {
    /// The innermost agent while calls are followed; other ids have it in them.
    static AGENT: Cell<AgentNumber> = const { Cell::new(AgentNumber::NONE) };
}

/// An agent, by its number. A reference to its series would make every tracked future larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgentNumber(u16);

impl AgentNumber {
    pub(super) const NONE: Self = Self(0);

    /// The agent's id: empty for none.
    #[inline]
    pub(super) fn id(self) -> &'static str {
        agents::id(self.0)
    }

    /// The agent of a call, if it is one.
    #[inline]
    pub(super) fn of(series: &CallSeries) -> Option<Self> {
        let agent = Self(agents::number_in(series.agent.into()));
        (agent != Self::NONE).then_some(agent)
    }

    /// The thread's current agent among followed calls.
    #[inline]
    pub(super) fn current() -> Self {
        AGENT.get()
    }

    /// The innermost agent around code whose innermost call is `call`.
    #[inline]
    pub(super) fn around(call: CallId) -> Self {
        if call.is_followed() { AGENT.get() } else { Self(call.agent()) }
    }

    /// Makes the agent the thread's current one among followed calls, and returns the previous one.
    #[inline]
    pub(super) fn make_current(self) -> Self {
        AGENT.replace(self)
    }

    /// Like [`make_current`](Self::make_current), until the guard is dropped.
    #[inline]
    pub(super) fn enter(self) -> InsideAgent {
        InsideAgent { before: self.make_current() }
    }
}

/// The guard of [`AgentNumber::enter`].
#[derive(Debug)]
pub(super) struct InsideAgent {
    before: AgentNumber,
}

impl Drop for InsideAgent {
    #[inline]
    fn drop(&mut self) {
        self.before.make_current();
    }
}
