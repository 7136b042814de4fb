//! A check over a blocking function, with one call at a time.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT, Report};

/// Makes a check named `name` from a function that blocks its thread.
///
/// The function runs on its own thread, off the async runtime, and returns a `Result` like that of
/// [`check_fn`](super::check_fn). A call that hangs times out like any run. It cannot be cancelled, so no second call
/// starts until it returns. It prevents neither the runtime nor the process from ending.
///
/// ```
/// use monitor_runtime::Monitor;
/// use monitor_runtime::health::check_blocking;
///
/// let check = check_blocking("models", || std::fs::metadata("/srv/models").map(drop));
/// let monitor = Monitor::builder().check(check).build()?;
/// # Ok::<(), monitor_runtime::BuildError>(())
/// ```
pub fn check_blocking<F, T, E>(name: impl Into<Cow<'static, str>>, run: F) -> BlockingCheck<F>
where
    F: Fn() -> Result<T, E> + Send + Sync + 'static,
    T: Into<Report>,
    E: Into<CheckError>,
{
    BlockingCheck { name: name.into(), timeout: DEFAULT_TIMEOUT, run: Arc::new(run), calls: OneCall::new() }
}

/// A check made by [`check_blocking`].
pub struct BlockingCheck<F> {
    name: Cow<'static, str>,
    timeout: Duration,
    run: Arc<F>,
    calls: OneCall<CheckResult>,
}

impl<F> BlockingCheck<F> {
    /// Sets the deadline of a run, more than zero (default 5 seconds).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl<F, T, E> Check for BlockingCheck<F>
where
    F: Fn() -> Result<T, E> + Send + Sync + 'static,
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
        let run = Arc::clone(&self.run);
        Box::pin(async move { self.calls.make(move || run().map(Into::into).map_err(Into::into)).await? })
    }
}

impl<F> fmt::Debug for BlockingCheck<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingCheck")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Makes blocking calls on their own threads, each only after the previous one has returned.
///
/// A call cannot be cancelled, so it outlives a run that missed its deadline. Without this limit, a mount that hangs
/// for an hour would cost a thread for every run in that hour. tokio's blocking threads are not used, since a runtime
/// waits for them when it shuts down.
pub(crate) struct OneCall<T> {
    outstanding: Mutex<Option<oneshot::Receiver<thread::Result<T>>>>,
}

impl<T: Send + 'static> OneCall<T> {
    pub(crate) fn new() -> Self {
        Self { outstanding: Mutex::new(None) }
    }

    /// Waits for the call of an earlier, cancelled run and discards its result, then makes `call`.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be started.
    ///
    /// # Panics
    ///
    /// Resumes a panic of `call`.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves its call running; the next one waits for it.
    pub(crate) async fn make(&self, call: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let mut outstanding = self.outstanding.lock().await;
        if let Some(left_behind) = outstanding.as_mut() {
            // A panic is as outdated as a result.
            let _ = left_behind.await;
        }
        *outstanding = None;
        let ended = outstanding.insert(start(call)?).await;
        *outstanding = None;
        match ended {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(io::Error::other("the thread of a blocking check is gone")),
        }
    }
}

fn start<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<thread::Result<T>>> {
    let (ends, ended) = oneshot::channel();
    thread::Builder::new().name("health-check".into()).spawn(move || {
        // The run may have been cancelled.
        let _ = ends.send(catch_unwind(AssertUnwindSafe(call)));
    })?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_call_that_hangs_is_waited_for_and_not_joined_by_another() {
        let calls = OneCall::new();
        let started = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let hanging = calls.make(move || {
            let _ = released.recv();
            "out of date"
        });
        timeout(Duration::from_millis(20), hanging).await.expect_err("it hangs");
        for _ in 0..3 {
            let started = Arc::clone(&started);
            let next = calls.make(move || {
                started.fetch_add(1, Ordering::SeqCst);
                "never seen"
            });
            timeout(Duration::from_millis(20), next).await.expect_err("the first one still hangs");
        }
        assert_eq!(started.load(Ordering::SeqCst), 0);
        drop(release);
        assert_eq!(calls.make(|| "up to date").await.expect("it returns"), "up to date");
    }

    #[tokio::test]
    async fn a_panicking_call_panics_in_its_run_and_frees_its_slot() {
        let calls = Arc::new(OneCall::new());
        let panicking = Arc::clone(&calls);
        let run = tokio::spawn(async move { panicking.make(|| -> u8 { panic!("no such disk") }).await });
        let payload = run.await.expect_err("it panics").into_panic();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"no such disk"));
        assert_eq!(calls.make(|| 1).await.expect("it returns"), 1);
    }

    #[test]
    fn a_call_that_hangs_does_not_keep_the_runtime_from_ending() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (release, released) = mpsc::channel::<()>();
        let calls = OneCall::new();
        runtime.block_on(async {
            let hanging = calls.make(move || released.recv().is_err());
            timeout(Duration::from_millis(20), hanging).await.expect_err("it hangs");
        });
        drop(runtime);
        drop(release);
    }
}
