//! A check of a database over an async function, for any client.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT, Report};
use super::degraded::{DegradedLog, SATURATED, TRUST};
use crate::families::pools::{PoolSource, PoolState};

/// Makes a check of a database from an async function, for clients other than sqlx.
///
/// `ping` sends a small query, such as `SELECT 1`, over a connection of the application's pool or over one of its own.
/// Its value is ignored: every `Ok` is an answer. [`pool_state`](DatabaseFnCheck::pool_state) tells a pool whose
/// connections are all leased from a database that is down.
///
/// By default a run has a deadline of 5 seconds. The messages are those of `DatabaseCheck`, here for the name
/// `database`:
///
/// * `database answered`.
/// * `pool saturated`: degraded, since all connections of the pool are leased.
/// * `database unreachable`: `ping` failed. The log has its error. If that is a [`CheckError`] with a message, the body
///   shows that message instead.
/// * `database timed out after 5s`.
///
/// ```
/// use std::sync::Arc;
///
/// use monitor_runtime::health::check_database;
/// use monitor_runtime::{Monitor, PoolState};
///
/// # struct Pool;
/// # struct Client;
/// # impl Pool {
/// #     async fn get(&self) -> std::io::Result<Client> { Ok(Client) }
/// #     fn size(&self) -> usize { 3 }
/// #     fn idle(&self) -> usize { 1 }
/// #     fn max_size(&self) -> usize { 8 }
/// # }
/// # impl Client {
/// #     async fn execute(&self, _: &str) -> std::io::Result<u64> { Ok(1) }
/// # }
/// # let pool = Pool;
/// let pool = Arc::new(pool);
/// let pinged = Arc::clone(&pool);
/// let ping = move || {
///     let pool = Arc::clone(&pinged);
///     async move { pool.get().await?.execute("SELECT 1").await }
/// };
/// let state = move || PoolState::of_open(pool.size(), pool.idle(), pool.max_size());
/// let check = check_database("database", ping).pool_state(state.clone());
/// let monitor = Monitor::builder().check(check).pool_with("main", state).build()?;
/// # Ok::<(), monitor_runtime::BuildError>(())
/// ```
///
/// # Cancel safety
///
/// The future of `ping` is dropped if it misses the deadline, and after half of the deadline while the pool is
/// saturated. A connection that it borrowed then returns to its pool, possibly in the middle of a query; most pools
/// discard or finish it.
pub fn check_database<F, Fut, T, E>(name: impl Into<Cow<'static, str>>, ping: F) -> DatabaseFnCheck<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    E: Into<CheckError>,
{
    DatabaseFnCheck {
        name: name.into(),
        timeout: DEFAULT_TIMEOUT,
        ping,
        pool: None,
        proven: Mutex::new(None),
        log: DegradedLog::default(),
    }
}

/// A check made by [`check_database`].
pub struct DatabaseFnCheck<F> {
    name: Cow<'static, str>,
    timeout: Duration,
    ping: F,
    pool: Option<Box<PoolSource>>,
    /// When the database last answered. A run that fails or is cancelled leaves `None`: the leased connections may be
    /// dead.
    proven: Mutex<Option<Instant>>,
    log: DegradedLog,
}

impl<F> DatabaseFnCheck<F> {
    /// Sets the deadline of a run, more than zero (default 5 seconds).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how to read the pool, so that one without a free connection does not look like an outage.
    ///
    /// `read` is called before each run, and must not block. If all connections of the pool are leased, an answer is
    /// reported as `pool saturated`, which is degraded. So is a `ping` that fails, or has no answer after half of the
    /// deadline, if all of them are still leased and the database answered less than ten seconds ago; such an error is
    /// logged once, as `health check is degraded`. After ten seconds the check fails. A `ping` over a connection of its
    /// own does not wait for the pool, and so tells saturation from an outage for as long as it lasts.
    pub fn pool_state(mut self, read: impl Fn() -> PoolState + Send + Sync + 'static) -> Self {
        self.pool = Some(Box::new(read));
        self
    }

    fn is_saturated(&self) -> bool {
        self.pool.as_ref().is_some_and(|read| read().is_saturated())
    }

    fn keep(&self, proven: Instant) {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = Some(proven);
    }

    fn answered(&self, was_saturated: bool) -> Report {
        self.keep(Instant::now());
        self.log.end();
        if was_saturated { Report::warn(SATURATED) } else { format!("{} answered", self.name).into() }
    }

    /// Runs `ping`. If it has not answered after half of the deadline, also looks whether the pool is the reason.
    async fn ask_and_judge<P>(&self, ping: impl FnOnce() -> P) -> CheckResult
    where
        P: Future<Output = Result<(), CheckError>>,
    {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner).take();
        let was_saturated = self.is_saturated();
        let pool_works = || {
            let is_trusted = |proven: &Instant| proven.elapsed() < TRUST;
            // One that is not saturated any more has a connection for the ping.
            proven.filter(is_trusted).filter(|_| was_saturated && self.is_saturated())
        };
        let silent = async {
            sleep(self.timeout / 2).await;
            pool_works()
        };
        tokio::select! {
            biased;
            answer = ping() => match answer {
                Ok(()) => Ok(self.answered(was_saturated)),
                Err(error) => self.failed(error, pool_works()),
            },
            Some(proven) = silent => {
                self.keep(proven);
                Ok(Report::warn(SATURATED))
            }
        }
    }

    /// Judges an error; `proven` is set if the pool counts as working.
    fn failed(&self, error: CheckError, proven: Option<Instant>) -> CheckResult {
        let (message, detail) = error.into_parts();
        if let Some(proven) = proven {
            self.keep(proven);
            self.log.write(&self.name, SATURATED, detail.as_deref().map(|detail| detail as _));
            return Ok(Report::warn(SATURATED));
        }
        self.log.end();
        let error = CheckError::new(message.unwrap_or_else(|| format!("{} unreachable", self.name).into()));
        Err(match detail {
            Some(detail) => error.caused_by(detail),
            None => error,
        })
    }
}

impl<F, Fut, T, E> Check for DatabaseFnCheck<F>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    E: Into<CheckError>,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn run(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(self.ask_and_judge(|| {
            let answer = (self.ping)();
            async move { answer.await.map(drop).map_err(Into::into) }
        }))
    }
}

impl<F> fmt::Debug for DatabaseFnCheck<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseFnCheck")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
