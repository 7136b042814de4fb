//! What the arguments of an attribute decide for its function.

use tracing::Level;

use crate::cells::objective::Objective;
use crate::families::CallKind;

/// How an error that a call returned is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorLog {
    /// At `error`.
    Error,
    /// At `warn`.
    Warn,
    /// Not at all.
    Off,
}

/// What the attribute's arguments decide.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Which attribute it is.
    pub kind: CallKind,
    /// The `operation` of a query.
    pub operation: &'static str,
    /// How errors are logged.
    pub log_errors: ErrorLog,
    /// The span's level.
    pub level: Level,
    /// What is promised of the calls.
    pub objective: Option<&'static Objective>,
    /// The names of the span's fields, the id's first.
    pub fields: &'static [&'static str],
}

#[allow(non_upper_case_globals, reason = "each is named as its kind, which emitted code says once")]
impl Settings {
    /// Of an agent about which nothing else is said.
    pub const Agent: Self = Self::of(CallKind::Agent, &["agent_id"]);
    /// Of a skill about which nothing else is said.
    pub const Skill: Self = Self::of(CallKind::Skill, &["skill_id"]);
    /// Of a query about which nothing else is said.
    pub const Query: Self = Self::of(CallKind::Query, &["query"]);

    const fn of(kind: CallKind, fields: &'static [&'static str]) -> Self {
        let (log_errors, level) = (ErrorLog::Error, Level::INFO);
        Self { kind, operation: "", log_errors, level, objective: None, fields }
    }
}
