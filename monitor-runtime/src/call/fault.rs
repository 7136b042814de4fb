//! The error of a call that failed, as far as its type lets itself be shown, and its one log line.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};

use tracing::Span;

use super::guard::Call;
use super::outcome::next;
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

/// The error of a result, by the most telling way its type has: `fault_of(&result).monitor_fault()`.
#[inline]
pub fn fault_of<R: ?Sized>(result: &R) -> ByError<'_, R> {
    ByError(BySyncError(BySendError(ByAnyError(ByDisplay(ByDebug(ByNothing(result)))))))
}

/// A way of reading a result's error, by a bound on the error's type.
macro_rules! by {
    (
        $(#[$doc:meta])*
        $way:ident $(<$held:lifetime>)? => $next:ident,
        [$($bound:tt)*], |$this:ident| $result:expr, $error:ident => $fault:expr
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $way<'r, R: ?Sized>($next<'r, R>);
        next!($way => $next);

        impl<'r, $($held: 'r,)? T, E: $($bound)*> $way<'r, Result<T, E>> {
            /// The error, if the result is one.
            #[inline]
            pub fn monitor_fault(&self) -> Option<Fault<'r>> {
                let $this = self;
                match $result {
                    Ok(_) => None,
                    Err($error) => Some($fault),
                }
            }
        }
    };
}

by! {
    /// The error is a `std::error::Error`.
    ByError => BySyncError, [Error], |this| this.0.0.0.0.0.0.0, error => Fault::Error(error)
}
by! {
    /// The error holds one that is `Send + Sync`, as `Box<dyn Error + Send + Sync>` and `anyhow::Error` do.
    BySyncError<'e> => BySendError, [AsRef<dyn Error + Send + Sync + 'e>], |this| this.0.0.0.0.0.0, error => {
        Fault::Error(error.as_ref())
    }
}
by! {
    /// The error holds one that is `Send`, as `Box<dyn Error + Send>` does.
    BySendError<'e> => ByAnyError, [AsRef<dyn Error + Send + 'e>], |this| this.0.0.0.0.0, error => {
        Fault::Error(error.as_ref())
    }
}
by! {
    /// The error holds one, as `Box<dyn Error>` does.
    ByAnyError<'e> => ByDisplay, [AsRef<dyn Error + 'e>], |this| this.0.0.0.0, error => Fault::Error(error.as_ref())
}
by! {
    /// The error can be displayed.
    ByDisplay => ByDebug, [Display], |this| this.0.0.0, error => Fault::Display(error)
}
by! {
    /// The error can be debugged.
    ByDebug => ByNothing, [Debug], |this| this.0.0, error => Fault::Debug(error)
}

/// There is no error, or it cannot be shown.
#[derive(Debug)]
pub struct ByNothing<'r, R: ?Sized>(&'r R);

impl<'r, R: ?Sized> ByNothing<'r, R> {
    /// `None`.
    #[inline]
    #[allow(clippy::unused_self, reason = "it stands last in a look-up by method")]
    pub fn monitor_fault(&self) -> Option<Fault<'r>> {
        None
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fault {
        ($result:expr) => {
            fault_of(&$result).monitor_fault()
        };
    }

    #[derive(Debug)]
    struct Undisplayed;

    struct Unnamed;

    #[test]
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
