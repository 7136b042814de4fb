//! The error of a call that failed, as far as its type lets itself be shown, and its one log line.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};

use tracing::Span;

use super::guard::Call;
use super::settings::ErrorLog;
use super::site::Site;
use crate::registry::CallKind;

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

/// The message and, behind it, the sources, joined by `: `.
impl Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => {
                write!(f, "{error}")?;
                sources(*error).try_for_each(|source| write!(f, ": {source}"))
            }
            Self::Display(error) => Display::fmt(error, f),
            Self::Debug(error) => Debug::fmt(error, f),
        }
    }
}

fn sources<'e>(error: &'e (dyn Error + '_)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
}

/// Whether anybody might take the line of an error at `level`; when nobody does, none is put into words.
pub(super) fn is_heard(level: tracing::Level) -> bool {
    level <= tracing::level_filters::LevelFilter::current()
}

/// Says on the span of a call what its error was, where spans are exported and errors of the function are not kept quiet.
pub(super) fn describe(site: &Site, span: Option<&Span>, fault: &Fault<'_>) {
    #[cfg(feature = "otlp")]
    if site.error_log() != ErrorLog::Off {
        crate::otlp::describe_error(span, fault);
    }
    #[cfg(not(feature = "otlp"))]
    let _ = (site, span, fault);
}

/// Logs the error that a call returned. Its span is entered, unless it is disabled: then the line says the id itself.
pub(super) fn log(call: &Call, fault: &Fault<'_>) {
    let site = call.site();
    let id = |kind| (!call.is_listened_to() && site.kind() == kind).then(|| call.id());
    let (agent_id, skill_id, query) = (id(CallKind::Agent), id(CallKind::Skill), id(CallKind::Query));
    let kind = site.kind_name();
    let (error, chain) = match fault {
        Fault::Error(error) => (text_of(error), chain(*error)),
        other => (text_of(other), None),
    };
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

/// The text, as far as it goes: a `Display` that fails does not fail the call.
fn text_of(shown: impl Display) -> String {
    let mut text = String::new();
    let _ = write!(text, "{shown}");
    text
}

/// The sources, joined by `: `; `None` when there are none.
fn chain(error: &dyn Error) -> Option<String> {
    let texts: Vec<_> = sources(error).map(text_of).collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}
