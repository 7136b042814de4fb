//! What a check is and what it can say.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A boxed future that can move between threads: that of `futures`.
pub use futures_core::future::BoxFuture;

use crate::error_chain::ErrorText;

/// The deadline of a check that names none: 5 seconds.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a run of a check ends: `Ok` is healthy, `Err` is not.
pub type CheckResult = Result<Report, CheckError>;

/// Something whose health can be asked for.
///
/// A monitor asks [`name`](Check::name) and [`timeout`](Check::timeout) once, when it is built, and then calls
/// [`run`](Check::run) over and over, never twice at a time. A run that panics is a failed check; a run that is
/// not done by its deadline is a failed check and is dropped at its next `.await`. How often it runs and what its failure
/// means is said by a [`Policy`](crate::health::Policy).
///
/// A run should not block its thread: make a check of blocking work with [`check_blocking`](super::check_blocking). A run
/// that blocks all the same keeps its deadline on a multi-thread runtime, and on a current-thread runtime stops everything.
///
/// ```
/// use monitor_runtime::health::{BoxFuture, Check, CheckError, CheckResult};
///
/// struct QueueCheck {
///     depth: fn() -> usize,
/// }
///
/// impl Check for QueueCheck {
///     fn name(&self) -> &str {
///         "queue"
///     }
///
///     fn run(&self) -> BoxFuture<'_, CheckResult> {
///         Box::pin(async move {
///             match (self.depth)() {
///                 waiting @ ..1_000 => Ok(format!("{waiting} jobs waiting").into()),
///                 _ => Err(CheckError::new("1000 jobs or more are waiting")),
///             }
///         })
///     }
/// }
/// ```
pub trait Check: Send + Sync + 'static {
    /// The name in bodies, metrics and logs, unique within a monitor: `[a-z][a-z0-9_-]{0,62}`.
    fn name(&self) -> &str;

    /// How long a run may take; more than zero. 5 seconds unless the check says otherwise.
    fn timeout(&self) -> Duration {
        DEFAULT_TIMEOUT
    }

    /// Looks, once.
    ///
    /// # Errors
    ///
    /// A [`CheckError`] says that the check is unhealthy.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when its deadline passes or its monitor goes away; a later run must be able to
    /// start from whatever that left behind.
    fn run(&self) -> BoxFuture<'_, CheckResult>;
}

/// What a healthy check says: a message for the body, or nothing (`<name> passed` is shown then).
///
/// Made from `()`, a `&'static str`, a `String` or a `Cow<'static, str>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    message: Option<Cow<'static, str>>,
    is_warning: bool,
}

impl Report {
    /// Makes the report of a check that is healthy with a reservation, which `message` says: the body shows it as
    /// `degraded`, and readiness stays 200.
    pub fn warn(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), is_warning: true }
    }

    pub(crate) fn is_warning(&self) -> bool {
        self.is_warning
    }

    pub(crate) fn into_message(self) -> Option<Cow<'static, str>> {
        self.message
    }
}

impl From<()> for Report {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<&'static str> for Report {
    fn from(message: &'static str) -> Self {
        Cow::from(message).into()
    }
}

impl From<String> for Report {
    fn from(message: String) -> Self {
        Cow::from(message).into()
    }
}

impl From<Cow<'static, str>> for Report {
    fn from(message: Cow<'static, str>) -> Self {
        Self { message: Some(message), is_warning: false }
    }
}

/// Why a check is unhealthy: a message for everyone, and the detail for the log.
///
/// Any error, and any text, turns into a `CheckError` by `?` or `into()`. It is taken for a detail then: it goes
/// to the log, and the body says `<name> failed`. What the public may read is said with [`CheckError::new`].
///
/// ```
/// use monitor_runtime::health::CheckError;
///
/// async fn search_index() -> Result<(), CheckError> {
///     let index = std::fs::read_to_string("/srv/index")?; // body: `<name> failed`; log: the I/O error
///     if index.is_empty() {
///         return Err(CheckError::new("search index is empty")); // the body says so
///     }
///     Ok(())
/// }
/// ```
// Not a `std::error::Error` itself: that is what makes the conversion from every error possible.
pub struct CheckError {
    message: Option<Cow<'static, str>>,
    detail: Option<BoxError>,
}

/// The message, then the detail with its sources.
impl fmt::Debug for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail.as_deref().map(|detail| ErrorText::of(detail).whole);
        let parts = self.message.as_deref().into_iter().chain(detail.as_deref());
        for (at, part) in parts.enumerate() {
            f.write_str(if at == 0 { "" } else { ": " })?;
            f.write_str(part)?;
        }
        Ok(())
    }
}

pub(crate) type BoxError = Box<dyn Error + Send + Sync + 'static>;

impl CheckError {
    /// Makes an error whose `message` anybody may read. Keep it stable, and free of addresses and credentials.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), detail: None }
    }

    /// Adds what the log shall know: an error with its sources, or a text.
    pub fn caused_by(mut self, detail: impl Into<BoxError>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn into_parts(self) -> (Option<Cow<'static, str>>, Option<BoxError>) {
        (self.message, self.detail)
    }
}

impl<E: Into<BoxError>> From<E> for CheckError {
    fn from(detail: E) -> Self {
        Self { message: None, detail: Some(detail.into()) }
    }
}
