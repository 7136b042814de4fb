//! The settings that an attribute's arguments make for its function.

use tracing::Level;

use crate::cells::objective::Objective;
use crate::families::CallKind;

/// The level at which the errors of calls are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorLog {
    /// At `error`.
    Error,
    /// At `warn`.
    Warn,
    /// Not logged.
    Off,
}

/// The most that one call of an agent may use, the calls inside it included. 0 sets no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The cost of model calls, in billionths of a US dollar.
    pub cost_nanos: u64,
    /// The input and output tokens of model calls.
    pub tokens: u64,
    /// The model calls that begin.
    pub model_calls: u64,
    /// The skill calls that begin.
    pub skill_calls: u64,
    /// The time from the call's start, in nanoseconds.
    pub duration_nanos: u64,
}

/// The operation that reads a stored response again. The call that produced the response has reported its usage.
pub(crate) const FETCH_RESPONSE: &str = "fetch_response";

/// The operation that has its own tokens, even inside another call of a model.
pub(crate) const EMBEDDINGS: &str = "embeddings";

/// The settings of an annotated function.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The kind of call, by the attribute.
    pub kind: CallKind,
    /// The `operation` of a query or a model.
    pub operation: &'static str,
    /// The `provider` of a model, unless an expression gives it.
    pub provider: &'static str,
    /// The level at which errors are logged.
    pub log_errors: ErrorLog,
    /// The level of the span.
    pub level: Level,
    /// The objective of the calls.
    pub objective: Option<&'static Objective>,
    /// The budget of an agent.
    pub budget: Option<&'static Budget>,
    /// The names of the span's fields, the id first.
    pub fields: &'static [&'static str],
}

#[allow(non_upper_case_globals, reason = "emitted code names settings by the attribute's kind")]
impl Settings {
    /// The default settings of an agent.
    pub const Agent: Self = Self::of(CallKind::Agent, &["agent_id"]);
    /// The default settings of a skill.
    pub const Skill: Self = Self::of(CallKind::Skill, &["skill_id"]);
    /// The default settings of a query.
    pub const Query: Self = Self::of(CallKind::Query, &["query"]);

    /// The default settings of a model.
    pub const Model: Self = Self { operation: "chat", ..Self::of(CallKind::Model, &["model"]) };

    /// The settings of the calls that other crates track. The caller gets their errors, so they are not logged.
    #[cfg(feature = "logging")]
    pub(super) const fn foreign(operation: &'static str) -> Self {
        Self { operation, log_errors: ErrorLog::Off, ..Self::Model }
    }

    const fn of(kind: CallKind, fields: &'static [&'static str]) -> Self {
        let (log_errors, level) = (ErrorLog::Error, Level::INFO);
        let (objective, budget) = (None, None);
        Self { kind, operation: "", provider: "", log_errors, level, objective, budget, fields }
    }
}
