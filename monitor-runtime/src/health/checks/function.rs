//! A check over an async function.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT, Report};

/// Makes a check named `name` from a function that returns a future.
///
/// The future returns a `Result`. `Ok` is `()` or a message for the body. `Err` is a [`CheckError`], whose message the
/// body shows. Any other error or text goes to the log, and the body shows `<name> failed`, since the text of an error
/// is often not fit for a public page.
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

/// A check made by [`check_fn`].
pub struct FnCheck<F> {
    name: Cow<'static, str>,
    timeout: Duration,
    run: F,
}

impl<F> FnCheck<F> {
    /// Sets the deadline of a run, more than zero (default 5 seconds).
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
