//! A check made of a function.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT, Report};

/// Makes a check named `name` of a function that returns a future.
///
/// The future gives a `Result`. Its `Ok` is `()` or a message for the body. Its `Err` is a [`CheckError`], whose
/// message the body shows, or any other error or text, which goes to the log while the body says
/// `<name> failed`: an error's text often holds what a public page should not.
///
/// ```
/// use std::time::Duration;
///
/// use monitor_runtime::Monitor;
/// use monitor_runtime::health::check_fn;
///
/// async fn model_answers() -> Result<&'static str, std::io::Error> {
///     Ok("model loaded")
/// }
///
/// let check = check_fn("model", model_answers).timeout(Duration::from_millis(250));
/// let monitor = Monitor::builder().check(check).build()?;
/// # Ok::<(), monitor_runtime::BuildError>(())
/// ```
pub fn check_fn<F, Fut, T, E>(name: impl Into<Cow<'static, str>>, run: F) -> FnCheck<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Into<Report>,
    E: Into<CheckError>,
{
    FnCheck { name: name.into(), timeout: DEFAULT_TIMEOUT, run }
}

/// The check that [`check_fn`] makes.
pub struct FnCheck<F> {
    name: Cow<'static, str>,
    timeout: Duration,
    run: F,
}

impl<F> FnCheck<F> {
    /// Sets how long a run may take; 5 seconds when not set, and more than zero.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<F, Fut, T, E> Check for FnCheck<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Into<Report>,
    E: Into<CheckError>,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn run(&self) -> BoxFuture<'_, CheckResult> {
        let run = (self.run)();
        Box::pin(async move { run.await.map(Into::into).map_err(Into::into) })
    }
}

impl<F> fmt::Debug for FnCheck<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnCheck")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
