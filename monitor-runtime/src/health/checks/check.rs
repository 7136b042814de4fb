//! The trait of a check, and its result.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A boxed future that is `Send`; the type of `futures`.
pub use futures_core::future::BoxFuture;

use crate::error_chain::ErrorText;

/// The deadline of a check that sets none: 5 seconds.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of a run: `Ok` is healthy, `Err` is unhealthy.
pub type CheckResult = Result<Report, CheckError>;

/// A health check.
///
/// A monitor reads [`name`](Check::name) and [`timeout`](Check::timeout) once, when it is built. It then calls
/// [`run`](Check::run) repeatedly, never twice at the same time. A run that panics has failed. So has a run that misses
/// its deadline, which is dropped at its next `.await`. A [`Policy`](crate::health::Policy) sets how often the check
/// runs and what its failure means.
///
/// A run should not block its thread; wrap blocking work in [`check_blocking`](super::check_blocking). If it blocks
/// anyway, the deadline still holds on a multi-thread runtime; on a current-thread runtime, everything stops.
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
    /// Returns the name in bodies, metrics and logs, unique within a monitor: `[a-z][a-z0-9_-]{0,62}`.
    fn name(&self) -> &str;

    /// Returns the deadline of a run, more than zero (default 5 seconds).
    fn timeout(&self) -> Duration {
        DEFAULT_TIMEOUT
    }

    /// Runs the check once.
    ///
    /// # Errors
    ///
    /// Returns a [`CheckError`] if the check is unhealthy.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when its deadline passes or its monitor is dropped. A later run must cope with whatever
    /// state that leaves.
    fn run(&self) -> BoxFuture<'_, CheckResult>;
}

/// The report of a healthy check: a message for the body, or none, for which the body shows `<name> passed`.
///
/// Made from `()`, a `&'static str`, a `String` or a `Cow<'static, str>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    message: Option<Cow<'static, str>>,
    is_warning: bool,
}

impl Report {
    /// Creates the report of a check that is healthy with a warning: the body shows `message` and the status
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

/// Why a check is unhealthy: a message for the public, and a detail for the log.
///
/// Any error and any text converts to a `CheckError`, by `?` or `into()`. It becomes the detail: it goes to the log,
/// and the body shows `<name> failed`. [`CheckError::new`] sets a public message.
///
/// ```
/// use monitor_runtime::health::CheckError;
///
/// async fn search_index() -> Result<(), CheckError> {
///     let index = std::fs::read_to_string("/srv/index")?; // body: `<name> failed`; log: the I/O error
///     if index.is_empty() {
///         return Err(CheckError::new("search index is empty")); // body: this message
///     }
///     Ok(())
/// }
/// ```
// Must not implement `std::error::Error`: the conversion from every error would then conflict with `From<T> for T`.
pub struct CheckError {
    message: Option<Cow<'static, str>>,
    detail: Option<BoxError>,
}

/// Formats the message, then the detail with its sources.
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
    /// Creates an error with a public `message`. Keep it stable, and free of addresses and credentials.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), detail: None }
    }

    /// Adds a detail for the log: an error with its sources, or a text.
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
