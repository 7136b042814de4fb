//! The three attributes and how they differ.

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

    /// The constant of the runtime's `Settings` that has the kind's defaults.
    pub(crate) const fn settings_name(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Skill => "Skill",
            Self::Query => "Query",
        }
    }

    /// The field that holds the id, on the span and on log lines.
    pub(crate) const fn id_field(self) -> &'static str {
        match self {
            Self::Agent => "agent_id",
            Self::Skill => "skill_id",
            Self::Query => "query",
        }
    }
}
