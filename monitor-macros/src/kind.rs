//! What is tracked: the three attributes and how they differ.

/// One of the three attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Agent,
    Skill,
    Query,
}

impl Kind {
    pub(crate) const ALL: &'static [Self] = &[Self::Agent, Self::Skill, Self::Query];

    /// The attribute's name.
    pub(crate) const fn attribute_name(self) -> &'static str {
        match self {
            Self::Agent => "track_agent",
            Self::Skill => "track_skill",
            Self::Query => "track_query",
        }
    }

    /// The runtime's name of the kind.
    pub(crate) const fn runtime_variant(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Skill => "Skill",
            Self::Query => "Query",
        }
    }

    /// The name under which the id is bound to log lines.
    pub(crate) const fn id_field(self) -> &'static str {
        match self {
            Self::Agent => "agent_id",
            Self::Skill => "skill_id",
            Self::Query => "query",
        }
    }
}
