//! The place of running code among tracked calls: the call and the agent that it is inside.

use std::cell::Cell;

use super::call_id::{CallId, Inside};
use crate::cells::labels::OVERFLOW;
use crate::families::call_series::CallSeries;

thread_local! {
    static AGENT: Cell<AgentNumber> = const { Cell::new(AgentNumber::NONE) };
}

/// An agent, by the number of its series. A reference to the series would make every tracked future larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgentNumber(u16);

impl AgentNumber {
    pub(super) const NONE: Self = Self(0);
    /// An agent whose number does not fit, of which there are some only under a series limit of many thousands.
    const OTHER: Self = Self(u16::MAX);

    #[inline]
    pub(super) fn of(series: &'static CallSeries) -> Self {
        u16::try_from(series.number()).map_or(Self::OTHER, Self)
    }

    /// The agent's id: empty for none.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::NONE => "",
            Self::OTHER => OVERFLOW,
            Self(number) => CallSeries::numbered(number.into()).map_or("", CallSeries::id),
        }
    }

    /// The innermost agent whose body this thread is in.
    #[inline]
    pub(super) fn current() -> Self {
        AGENT.get()
    }

    /// Makes the agent the thread's current one, and returns the previous one.
    #[inline]
    pub(super) fn make_current(self) -> Self {
        AGENT.replace(self)
    }
}

/// The call and the agent around running code, to be carried to another thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    call: CallId,
    agent: AgentNumber,
}

impl Place {
    /// The place of the calling code.
    pub(crate) fn current() -> Self {
        Self { call: CallId::current(), agent: AgentNumber::current() }
    }

    /// Makes the place the thread's current one until the guard is dropped.
    pub(crate) fn enter(self) -> AtPlace {
        AtPlace { _call: self.call.enter(), around: self.agent.make_current() }
    }
}

/// The guard of [`Place::enter`].
#[derive(Debug)]
pub(crate) struct AtPlace {
    _call: Inside,
    around: AgentNumber,
}

impl Drop for AtPlace {
    fn drop(&mut self) {
        self.around.make_current();
    }
}
