//! The four attributes and how they differ.

/// One of the four attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Agent,
    Skill,
    Query,
    Model,
}

impl Kind {
    pub(crate) const ALL: &'static [Self] = &[Self::Agent, Self::Skill, Self::Query, Self::Model];

    /// The attribute's name.
    pub(crate) const fn attribute_name(self) -> &'static str {
        match self {
            Self::Agent => "track_agent",
            Self::Skill => "track_skill",
            Self::Query => "track_query",
            Self::Model => "track_model",
        }
    }

    /// The constant of the runtime's `Settings` that has the kind's defaults.
    pub(crate) const fn settings_name(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Skill => "Skill",
            Self::Query => "Query",
            Self::Model => "Model",
        }
    }

    /// The field that holds the id, on the span and on log lines.
    pub(crate) const fn id_field(self) -> &'static str {
        match self {
            Self::Agent => "agent_id",
            Self::Skill => "skill_id",
            Self::Query => "query",
            Self::Model => "model",
        }
    }

    /// The option that sets the id.
    pub(crate) const fn id_option(self) -> &'static str {
        match self {
            Self::Agent | Self::Skill | Self::Query => "id",
            Self::Model => "model",
        }
    }
}
