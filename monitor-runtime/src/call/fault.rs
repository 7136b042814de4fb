//! The error of a failed call, shown as well as its type allows, and its log line.

use std::error::Error;
use std::fmt::{self, Debug, Display};

use tracing::Span;

use super::observer;
use super::settings::{ErrorLog, Settings};
use crate::error_chain::ErrorText;
use crate::families::calls::CallKind;

/// An error, by the most informative trait of its type.
pub enum Fault<'r> {
    /// A `std::error::Error`, with its source chain.
    Error(&'r (dyn Error + 'r)),
    /// An error that can only be displayed.
    Display(&'r dyn Display),
    /// An error that can only be debugged.
    Debug(&'r dyn Debug),
}

impl Debug for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => Debug::fmt(error, f),
            Self::Display(error) => Display::fmt(error, f),
            Self::Debug(error) => Debug::fmt(error, f),
        }
    }
}

impl Fault<'_> {
    /// Formats the error.
    pub(super) fn text(&self) -> ErrorText {
        match self {
            Self::Error(error) => ErrorText::of(*error),
            Self::Display(error) => ErrorText::of_text(error),
            Self::Debug(error) => ErrorText::of_text(&format_args!("{error:?}")),
        }
    }
}

/// Whether a subscriber may want a line at `level`. If not, the error is not even formatted.
pub(super) fn is_heard(level: tracing::Level) -> bool {
    level <= tracing::level_filters::LevelFilter::current()
}

/// Whether an observer wants the error of a call, and the function does not suppress its errors.
pub(super) fn is_wanted(settings: &Settings, span: Option<&Span>) -> bool {
    settings.log_errors != ErrorLog::Off
        && observer::is_observed()
        && observer::observers().any(|observer| observer.wants_error(span))
}

/// Logs the error of a call, inside its span. `unbound_id` is the id if no span binds it to the line.
pub(super) fn log(settings: &Settings, unbound_id: Option<&str>, text: &ErrorText) {
    let id = |kind| unbound_id.filter(|_| settings.kind == kind);
    let (agent_id, skill_id, query) = (id(CallKind::Agent), id(CallKind::Skill), id(CallKind::Query));
    let kind = kind_name(settings.kind);
    let (error, chain) = (text.message.as_str(), text.sources.as_deref());
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "monitor_runtime::call",
                agent_id, skill_id, query, error, error.chain = chain, "{kind} failed"
            )
        };
    }
    match settings.log_errors {
        ErrorLog::Error => event!(error),
        ErrorLog::Warn => event!(warn),
        ErrorLog::Off => {}
    }
}

fn kind_name(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Agent => "agent",
        CallKind::Skill => "skill",
        CallKind::Query => "query",
    }
}
