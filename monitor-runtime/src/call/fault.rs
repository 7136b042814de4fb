//! The error of a call that failed, as far as its type lets itself be shown, and its one log line.

use std::error::Error;
use std::fmt::{self, Debug, Display};

use tracing::Span;

use super::guard::Call;
use super::settings::ErrorLog;
use super::site::Site;
use crate::error_chain::Said;
use crate::families::calls::CallKind;

/// An error, by the most telling trait its type has.
pub enum Fault<'r> {
    /// A `std::error::Error`, with its source chain.
    Error(&'r (dyn Error + 'r)),
    /// A borrowed or unnamed error that can be displayed.
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
    /// The error in words.
    pub(super) fn said(&self) -> Said {
        match self {
            Self::Error(error) => Said::of(*error),
            Self::Display(error) => Said::of_text(error),
            Self::Debug(error) => Said::of_text(&format_args!("{error:?}")),
        }
    }
}

/// Whether anybody might take the line of an error at `level`; when nobody does, none is put into words.
pub(super) fn is_heard(level: tracing::Level) -> bool {
    level <= tracing::level_filters::LevelFilter::current()
}

/// Whether the span of a call is to say what its error was: where spans are exported, unless errors of the function are kept quiet.
pub(super) fn is_described(site: &Site, span: Option<&Span>) -> bool {
    #[cfg(feature = "otlp")]
    return site.error_log() != ErrorLog::Off && crate::otlp::takes_errors(span);
    #[cfg(not(feature = "otlp"))]
    {
        let _ = (site, span);
        false
    }
}

/// Says on the span of a call what its error was.
pub(super) fn describe(span: Option<&Span>, said: &Said) {
    #[cfg(feature = "otlp")]
    crate::otlp::describe_error(span, said.status());
    #[cfg(not(feature = "otlp"))]
    let _ = (span, said);
}

/// Logs the error that a call returned. Its span is entered, unless it is disabled: then the line says the id itself.
pub(super) fn log(call: &Call, said: &Said) {
    let site = call.site();
    let id = |kind| (!call.is_listened_to() && site.kind() == kind).then(|| call.id());
    let (agent_id, skill_id, query) = (id(CallKind::Agent), id(CallKind::Skill), id(CallKind::Query));
    let kind = site.kind_name();
    let (error, chain) = (said.message.as_str(), said.sources.as_deref());
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "monitor_runtime::call",
                agent_id, skill_id, query, error, error.chain = chain, "{kind} failed"
            )
        };
    }
    match site.error_log() {
        ErrorLog::Error => event!(error),
        ErrorLog::Warn => event!(warn),
        ErrorLog::Off => {}
    }
}
