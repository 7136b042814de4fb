//! The error of a call that failed, as far as its type lets itself be shown, and its one log line.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};

use super::guard::Call;
use super::outcome::Probe;
use super::site::ErrorLog;
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

/// Reads a result's error by one trait; emitted code writes `(&&&&&&&Probe(result)).monitor_fault()` to get the best.
macro_rules! via {
    ($(#[$doc:meta])* $via:ident $(<$held:lifetime>)? for $probe:ty, [$($bound:tt)*], $error:ident => $fault:expr) => {
        $(#[$doc])*
        pub trait $via<'r> {
            /// The error, if the result is one.
            fn monitor_fault(&self) -> Option<Fault<'r>>;
        }

        impl<'r, $($held: 'r,)? T, E: $($bound)*> $via<'r> for $probe {
            #[inline]
            fn monitor_fault(&self) -> Option<Fault<'r>> {
                let result: &'r Result<T, E> = self.0;
                result.as_ref().err().map(|$error| $fault)
            }
        }
    };
}

via! {
    /// The error is a `std::error::Error`.
    ViaError for &&&&&&Probe<'r, Result<T, E>>, [Error], error => Fault::Error(error)
}
via! {
    /// The error holds one that is `Send + Sync`, as `Box<dyn Error + Send + Sync>` and `anyhow::Error` do.
    ViaAsSyncError<'e> for &&&&&Probe<'r, Result<T, E>>, [AsRef<dyn Error + Send + Sync + 'e>], error => {
        Fault::Error(error.as_ref())
    }
}
via! {
    /// The error holds one that is `Send`, as `Box<dyn Error + Send>` does.
    ViaAsSendError<'e> for &&&&Probe<'r, Result<T, E>>, [AsRef<dyn Error + Send + 'e>], error => {
        Fault::Error(error.as_ref())
    }
}
via! {
    /// The error holds one, as `Box<dyn Error>` does.
    ViaAsError<'e> for &&&Probe<'r, Result<T, E>>, [AsRef<dyn Error + 'e>], error => Fault::Error(error.as_ref())
}
via! {
    /// The error can be displayed.
    ViaDisplay for &&Probe<'r, Result<T, E>>, [Display], error => Fault::Display(error)
}
via! {
    /// The error can be debugged.
    ViaDebug for &Probe<'r, Result<T, E>>, [Debug], error => Fault::Debug(error)
}

/// There is no error, or it cannot be shown.
pub trait ViaAny<'r> {
    /// `None`.
    fn monitor_fault(&self) -> Option<Fault<'r>>;
}

impl<'r, R: ?Sized> ViaAny<'r> for Probe<'r, R> {
    #[inline]
    fn monitor_fault(&self) -> Option<Fault<'r>> {
        None
    }
}

/// Whether anybody might take the line of an error at `level`; when nobody does, none is put into words.
pub(super) fn is_heard(level: tracing::Level) -> bool {
    level <= tracing::level_filters::LevelFilter::current()
}

/// Logs the error that a call returned. Its span is entered, unless it is disabled: then the line says the id itself.
pub(super) fn log(call: &Call, fault: &Fault<'_>) {
    let site = call.site();
    let id = |kind| (call.span().is_disabled() && site.kind() == kind).then(|| call.id());
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

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fault {
        ($result:expr) => {
            (&&&&&&&Probe(&$result)).monitor_fault()
        };
    }

    #[derive(Debug)]
    struct Undisplayed;

    struct Unnamed;

    #[test]
    #[allow(clippy::needless_borrow, reason = "the references select the trait")]
    fn an_error_is_shown_by_its_best_trait() {
        let io = std::io::Error::other("disk gone");
        assert!(matches!(fault!(Err::<(), _>(io)), Some(Fault::Error(_))));
        let boxed: Box<dyn Error + Send + Sync> = "boxed".into();
        assert!(matches!(fault!(Err::<(), _>(boxed)), Some(Fault::Error(_))));
        let boxed: Box<dyn Error + Send> = Box::new(fmt::Error);
        assert!(matches!(fault!(Err::<(), _>(boxed)), Some(Fault::Error(_))));
        let boxed: Box<dyn Error> = "boxed".into();
        assert!(matches!(fault!(Err::<(), _>(boxed)), Some(Fault::Error(_))));
        assert!(matches!(fault!(Err::<(), _>("text")), Some(Fault::Display(_))));
        assert!(matches!(fault!(Err::<(), _>(Undisplayed)), Some(Fault::Debug(_))));
        assert!(fault!(Err::<(), _>(Unnamed)).is_none());
        assert!(fault!(Ok::<u8, Unnamed>(1)).is_none());
        assert!(fault!(1).is_none());
    }
}
