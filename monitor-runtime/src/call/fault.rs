//! The error of a failed call, shown as well as its type allows, and its log line.

use std::error::Error;
use std::fmt::{self, Debug, Display};

use tracing::Span;

use super::call_id::CallId;
use super::observer;
use super::settings::{ErrorLog, Settings};
use crate::error_chain::ErrorText;
use crate::families::calls::CallKind;

/// The error of a call: the trait that shows it, and its type.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'r> {
    /// `None` if no trait shows it.
    shown: Option<Shown<'r>>,
    error_type: Option<&'static str>,
}

/// An error, by the most informative trait of its type.
#[derive(Clone, Copy)]
pub(super) enum Shown<'r> {
    /// A `std::error::Error`, with its source chain.
    Error(&'r (dyn Error + 'r)),
    /// An error that can only be displayed.
    Display(&'r dyn Display),
    /// An error that can only be debugged.
    Debug(&'r dyn Debug),
}

impl Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => Debug::fmt(error, f),
            Self::Display(error) => Display::fmt(error, f),
            Self::Debug(error) => Debug::fmt(error, f),
        }
    }
}

impl<'r> Shown<'r> {
    /// Formats the error, and its sources, up to this many bytes each.
    fn text(&self, most: usize) -> ErrorText {
        match self {
            Self::Error(error) => ErrorText::up_to(most, *error),
            Self::Display(error) => ErrorText::of_text(most, error),
            Self::Debug(error) => ErrorText::of_text(most, &format_args!("{error:?}")),
        }
    }

    /// The fault of an error without a type.
    #[inline]
    pub(super) fn untyped(self) -> Fault<'r> {
        Fault { shown: Some(self), error_type: None }
    }
}

impl<'r> Fault<'r> {
    /// The fault of a value that classifies itself; `None` if it has no type and no trait shows it.
    #[inline]
    pub(super) fn typed(shown: Option<Shown<'r>>, error_type: Option<&'static str>) -> Option<Self> {
        // Prometheus treats an empty label as a missing one.
        let error_type = error_type.filter(|error_type| !error_type.is_empty());
        (shown.is_some() || error_type.is_some()).then_some(Self { shown, error_type })
    }

    /// The type of the error, as `Classify::error_type` returns it.
    pub(super) fn error_type(&self) -> Option<&'static str> {
        self.error_type
    }

    /// Whether a trait shows the error.
    pub(super) fn is_shown(&self) -> bool {
        self.shown.is_some()
    }

    #[cfg(test)]
    pub(super) fn shown(&self) -> Option<Shown<'r>> {
        self.shown
    }

    #[cfg(test)]
    pub(super) fn displayed(error: &'r dyn Display) -> Self {
        Self { shown: Some(Shown::Display(error)), error_type: None }
    }

    /// Formats the error, and its sources, up to this many bytes each.
    pub(super) fn text(&self, most: usize) -> ErrorText {
        self.shown.map(|shown| shown.text(most)).unwrap_or_default()
    }
}

/// Whether a subscriber may want a line at `level`. If not, the error is not even formatted.
pub(super) fn is_heard(level: tracing::Level) -> bool {
    level <= tracing::level_filters::LevelFilter::current()
}

/// The bytes of an error's text that observers use. There are none if the function suppresses its errors.
pub(super) fn observed_bytes(settings: &Settings, call: CallId, span: Option<&Span>) -> usize {
    if settings.log_errors == ErrorLog::Off || !observer::is_observed() {
        return 0;
    }
    observer::observers().map(|observer| observer.error_bytes(call, span)).max().unwrap_or(0)
}

/// Logs the error of a call, inside its span. `unbound_id` is the id if no span binds it to the line.
pub(super) fn log(
    settings: &Settings,
    unbound_id: Option<&str>,
    text: &ErrorText,
    error_type: Option<&'static str>,
) {
    let id = |kind| unbound_id.filter(|_| settings.kind == kind);
    let (agent_id, skill_id) = (id(CallKind::Agent), id(CallKind::Skill));
    let (query, model) = (id(CallKind::Query), id(CallKind::Model));
    let kind = kind_name(settings.kind);
    let (error, chain) = (text.message.as_str(), text.sources.as_deref());
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "monitor_runtime::call",
                agent_id, skill_id, query, model, error, error.chain = chain, "error.type" = error_type, "{kind} failed"
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
        CallKind::Model => "model",
    }
}
