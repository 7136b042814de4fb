//! Requests and calls in flight, by name.

use crate::families::CallKind;
use crate::families::requests;

/// Label values and the number in flight, without zeros.
type Named<const LABELS: usize> = Vec<([&'static str; LABELS], u64)>;

/// The requests and tracked calls of the process in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// By method and endpoint.
    pub(crate) requests: Named<2>,
    pub(crate) agents: Named<1>,
    pub(crate) skills: Named<1>,
    /// By operation and query.
    pub(crate) queries: Named<2>,
    /// By provider and model.
    pub(crate) models: Named<2>,
}

impl InFlight {
    pub(crate) fn now() -> Self {
        Self {
            requests: requests::metrics().in_flight(),
            agents: CallKind::Agent.family().in_flight(),
            skills: CallKind::Skill.family().in_flight(),
            queries: CallKind::Query.family().in_flight(),
            models: CallKind::Model.family().in_flight(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
            && self.agents.is_empty()
            && self.skills.is_empty()
            && self.queries.is_empty()
            && self.models.is_empty()
    }
}
