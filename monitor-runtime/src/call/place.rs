//! The place of running code among tracked calls: the call and the agent that it is inside.

use super::agent_number::{AgentNumber, InsideAgent};
use super::call_id::{CallId, Inside};
use super::enclosing_model;

/// The call, the agent and the model call around running code, to be carried to another thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    call: CallId,
    /// Of followed calls.
    agent: AgentNumber,
    model: Option<CallId>,
}

impl Place {
    /// The place of the calling code.
    pub(crate) fn current() -> Self {
        let call = CallId::current();
        Self {
            call,
            agent: AgentNumber::current(),
            model: enclosing_model::current(AgentNumber::around(call)),
        }
    }

    /// The innermost call.
    pub(super) fn call(self) -> CallId {
        self.call
    }

    /// The innermost tracked model call, if no agent is in between.
    pub(super) fn model(self) -> Option<CallId> {
        self.model
    }

    /// Makes the place the thread's current one until the guard is dropped.
    pub(crate) fn enter(self) -> AtPlace {
        let (call, agent) = (self.call.enter(), self.agent.enter());
        if let Some(model) = self.model {
            enclosing_model::enter(model, AgentNumber::around(self.call));
        }
        AtPlace { _call: call, _agent: agent, model: self.model }
    }
}

/// The guard of [`Place::enter`].
#[derive(Debug)]
pub(crate) struct AtPlace {
    _call: Inside,
    _agent: InsideAgent,
    model: Option<CallId>,
}

impl Drop for AtPlace {
    fn drop(&mut self) {
        if let Some(model) = self.model {
            enclosing_model::leave(model);
        }
    }
}
