//! The error of a call that failed, as far as its type lets itself be shown, and its one log line.

use std::error::Error;
use std::fmt::{self, Debug, Display};

use super::outcome::Probe;
use super::site::{ErrorLog, Site};

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

/// Reads a result's error by one trait; emitted code writes `(&&&&&&Probe(result)).fault()` to get the best.
macro_rules! via {
    ($(#[$doc:meta])* $via:ident $(<$held:lifetime>)? for $probe:ty, [$($bound:tt)*], $error:ident => $fault:expr) => {
        $(#[$doc])*
        pub trait $via<'r> {
            /// The error, if the result is one.
            fn fault(&self) -> Option<Fault<'r>>;
        }

        impl<'r, $($held: 'r,)? T, E: $($bound)*> $via<'r> for $probe {
            #[inline]
            fn fault(&self) -> Option<Fault<'r>> {
                let result: &'r Result<T, E> = self.0;
                result.as_ref().err().map(|$error| $fault)
            }
        }
    };
}

via! {
    /// The error is a `std::error::Error`.
    ViaError for &&&&&Probe<'r, Result<T, E>>, [Error], error => Fault::Error(error)
}
via! {
    /// The error holds one that is `Send + Sync`, as `Box<dyn Error + Send + Sync>` and `anyhow::Error` do.
    ViaAsSyncError<'e> for &&&&Probe<'r, Result<T, E>>, [AsRef<dyn Error + Send + Sync + 'e>], error => {
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
    fn fault(&self) -> Option<Fault<'r>>;
}

impl<'r, R: ?Sized> ViaAny<'r> for Probe<'r, R> {
    #[inline]
    fn fault(&self) -> Option<Fault<'r>> {
        None
    }
}

/// Logs the error of a call inside its span, unless a call inside it has logged the same error already.
#[cold]
pub(super) fn log(site: &Site, span: &tracing::Span, fault: &Fault<'_>) {
    if site.error_log() != ErrorLog::Off && !logged::remember(span, fault) {
        span.in_scope(|| emit(site, span, fault));
    }
}

/// A disabled span binds no id, so the line then says it itself.
fn emit(site: &Site, span: &tracing::Span, fault: &Fault<'_>) {
    let id = span.is_disabled().then_some(site.default_id());
    let kind = site.kind_name();
    let (error, chain) = match fault {
        Fault::Error(error) => (error.to_string(), chain(*error)),
        other => (other.to_string(), None),
    };
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "monitor_runtime::call", id, error, error.chain = chain, "{kind} failed"
            )
        };
    }
    match site.error_log() {
        ErrorLog::Error => event!(error),
        ErrorLog::Warn => event!(warn),
        ErrorLog::Off => {}
    }
}

/// The sources, joined by `: `; `None` when there are none.
fn chain(error: &dyn Error) -> Option<String> {
    let texts: Vec<_> = sources(error).map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}

/// Which errors were logged inside a span.
///
/// An error that travels outward by `?` passes several tracked calls; it is the same error as long as its text,
/// sources included, contains the text that was logged.
#[cfg(feature = "logging")]
mod logged {
    use std::collections::VecDeque;

    use tracing_subscriber::registry::{LookupSpan as _, Registry};

    use super::Fault;

    /// Of one span, the texts last logged; more would not be returned by one result.
    const KEPT: usize = 8;
    /// Enough of a text to tell errors apart.
    const KEPT_BYTES: usize = 1_024;

    struct Logged(VecDeque<String>);

    /// Notes in the surrounding span that this error has been logged, and says whether a call inside `span` had.
    pub(super) fn remember(span: &tracing::Span, fault: &Fault<'_>) -> bool {
        let text = fault.to_string();
        let known = span.with_subscriber(|(id, dispatch)| {
            let own = dispatch.downcast_ref::<Registry>()?.span(id)?;
            let known = own.extensions().get::<Logged>().and_then(|logged| logged.find(&text));
            let noted = known.clone().unwrap_or_else(|| beginning(&text));
            if let Some(parent) = own.parent() {
                let mut extensions = parent.extensions_mut();
                match extensions.get_mut::<Logged>() {
                    Some(logged) => logged.add(noted),
                    None => extensions.insert(Logged(VecDeque::from([noted]))),
                }
            }
            known
        });
        known.flatten().is_some()
    }

    impl Logged {
        fn find(&self, text: &str) -> Option<String> {
            self.0.iter().find(|logged| !logged.is_empty() && text.contains(logged.as_str())).cloned()
        }

        fn add(&mut self, text: String) {
            if self.0.len() == KEPT {
                self.0.pop_front();
            }
            self.0.push_back(text);
        }
    }

    fn beginning(text: &str) -> String {
        text[..text.floor_char_boundary(KEPT_BYTES)].to_owned()
    }
}

#[cfg(not(feature = "logging"))]
mod logged {
    /// Without `tracing-subscriber`'s registry there is no place to remember in.
    pub(super) fn remember(_: &tracing::Span, _: &super::Fault<'_>) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fault {
        ($result:expr) => {
            (&&&&&&Probe(&$result)).fault()
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
        let boxed: Box<dyn Error> = "boxed".into();
        assert!(matches!(fault!(Err::<(), _>(boxed)), Some(Fault::Error(_))));
        assert!(matches!(fault!(Err::<(), _>("text")), Some(Fault::Display(_))));
        assert!(matches!(fault!(Err::<(), _>(Undisplayed)), Some(Fault::Debug(_))));
        assert!(fault!(Err::<(), _>(Unnamed)).is_none());
        assert!(fault!(Ok::<u8, Unnamed>(1)).is_none());
        assert!(fault!(1).is_none());
    }
}
