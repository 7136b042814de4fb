//! A database that answers.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Connection as _, Database, Executor, Pool};

use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT, Report};

/// How long a run waits for a connection that the application gives back, where nothing else tells whether the pool has one.
const LEASE_WAIT: Duration = Duration::from_secs(1);

const LEASE_PAUSE: Duration = Duration::from_millis(5);

/// Asks a pool's database `SELECT 1`.
///
/// The check is named `database` and has 5 seconds. It says `database answered`, `database unreachable` (refused,
/// reset, login denied, pool closed: the log has what the driver said) or `database timed out after 5s`.
///
/// It asks over one connection of its own, opened with the pool's connect options and kept between runs, so a
/// pool whose connections are all leased does not look like a database that is down, and the application does not
/// wait for the check. When that connection turns out to be broken, the same run opens another before it judges. Count it
/// in the server's connection limit: one a check.
///
/// Saturation is no outage. While every connection of the pool is leased the check is healthy and says `pool saturated`,
/// as degraded. When the server has no connection left for the check, it is healthy and says `database out of
/// connections`, as degraded, if the pool has one that works, and is unhealthy if the pool has none. Then alone it asks over
/// the pool's: an idle one, or the next that is given back within a second, for as long as one question takes. Once one has
/// answered, connections that stay leased count as working until the server has been away.
///
/// ```no_run
/// use monitor_runtime::Monitor;
/// use monitor_runtime::health::DatabaseCheck;
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "sqlx-sqlite")] {
/// let pool = sqlx::SqlitePool::connect("sqlite:notes.db").await?;
/// let monitor = Monitor::builder().check(DatabaseCheck::new(pool.clone())).pool("main", &pool).build()?;
/// # }
/// # Ok(())
/// # }
/// ```
pub struct DatabaseCheck<DB: Database> {
    name: Cow<'static, str>,
    timeout: Duration,
    pool: Pool<DB>,
    /// Taken for a run and put back when it was good, so a run cut short leaves nothing half-read behind.
    kept: Mutex<Option<DB::Connection>>,
    /// Whether the last run found the server without a connection to spare, and one of the pool's that works.
    was_open: AtomicBool,
}

impl<DB: Database> DatabaseCheck<DB> {
    /// Makes the check of a pool; the pool is not asked for a connection.
    pub fn new(pool: Pool<DB>) -> Self {
        Self {
            name: "database".into(),
            timeout: DEFAULT_TIMEOUT,
            pool,
            kept: Mutex::new(None),
            was_open: AtomicBool::new(false),
        }
    }

    /// Sets the name, which also begins its messages; `database` when not set.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how long a run may take; 5 seconds when not set, and more than zero.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn take_kept(&self) -> Option<DB::Connection> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, connection: DB::Connection) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }

    async fn connect(&self) -> Result<DB::Connection, sqlx::Error> {
        // A question every two seconds would drown the statements that the application logs.
        let options = self.pool.connect_options().as_ref().clone().disable_statement_logging();
        options.connect().await
    }
}

impl<DB: Database> DatabaseCheck<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn ask(&self) -> Result<(), sqlx::Error> {
        let kept = self.take_kept();
        if self.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        if let Some(mut connection) = kept
            && select_one::<DB>(&mut connection).await.is_ok()
        {
            self.keep(connection);
            return Ok(());
        }
        let mut connection = self.connect().await?;
        select_one::<DB>(&mut connection).await?;
        self.keep(connection);
        Ok(())
    }

    async fn judge(&self, answer: Result<(), sqlx::Error>, was_open: bool) -> CheckResult {
        let name = &self.name;
        match answer {
            Ok(()) if is_saturated(&self.pool) => Ok(Report::degraded("pool saturated")),
            Ok(()) => Ok(format!("{name} answered").into()),
            Err(error) if is_out_of_connections(&error) => {
                let message = format!("{name} out of connections");
                if self.has_open(was_open).await {
                    self.was_open.store(true, Ordering::Relaxed);
                    return Ok(Report::degraded(message));
                }
                Err(CheckError::new(message).caused_by(error))
            }
            Err(error) => Err(CheckError::new(format!("{name} unreachable")).caused_by(error)),
        }
    }
}

impl<DB: Database> DatabaseCheck<DB> {
    /// Whether the pool has a connection that works. Its counts do not tell: what it tries to open is in its size for as long as
    /// a full server refuses that, and what was cut by a restart stays idle until somebody takes it.
    async fn has_open(&self, mut was_open: bool) -> bool {
        while let Some(mut idle) = self.idle(was_open) {
            if idle.ping().await.is_ok() {
                return true;
            }
            // What cut this one has cut those that are leased.
            was_open = false;
            drop(idle.detach());
        }
        if was_open || self.pool.size() == 0 {
            return was_open && self.pool.size() > 0;
        }
        let wait = LEASE_WAIT.min(self.timeout / 2);
        // What is given back has just been seen to work by the pool.
        tokio::time::timeout(wait, self.given_back()).await.is_ok_and(|leased| leased.is_some())
    }

    /// An idle connection of the pool's, but for the last where it is not needed: an application that finds none tries to open
    /// one, and goes on trying while the server refuses that.
    fn idle(&self, was_open: bool) -> Option<PoolConnection<DB>> {
        let is_last = self.pool.num_idle() == 1 && !is_full(&self.pool);
        if was_open && is_last { None } else { self.pool.try_acquire() }
    }

    /// The next connection that the application gives back, opening none.
    async fn given_back(&self) -> Option<PoolConnection<DB>> {
        while !is_full(&self.pool) {
            if let Some(idle) = self.pool.try_acquire() {
                return Some(idle);
            }
            tokio::time::sleep(LEASE_PAUSE).await;
        }
        // Those who wait come first here, so that one is seen that is never idle.
        self.pool.acquire().await.ok()
    }
}

/// Whether a further query would have to wait for a connection.
fn is_saturated<DB: Database>(pool: &Pool<DB>) -> bool {
    pool.num_idle() == 0 && is_full(pool)
}

/// Whether the pool opens no more.
fn is_full<DB: Database>(pool: &Pool<DB>) -> bool {
    pool.size() >= pool.options().get_max_connections()
}

/// Whether the server answered that it takes no more connections: `too_many_connections` of PostgreSQL, and the code
/// under which MySQL and MariaDB refuse a connection.
fn is_out_of_connections(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("53300" | "08004"))
}

/// Goes unprepared, so that it also passes a pooler in transaction mode.
async fn select_one<DB: Database>(connection: &mut DB::Connection) -> Result<(), sqlx::Error>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    connection.execute(sqlx::raw_sql("SELECT 1")).await.map(drop)
}

impl<DB: Database> Check for DatabaseCheck<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn run(&self) -> BoxFuture<'_, CheckResult> {
        Box::pin(async move {
            // A run that is cut short leaves it so: a server that keeps silent may have been away.
            let was_open = self.was_open.swap(false, Ordering::Relaxed);
            let answer = self.ask().await;
            self.judge(answer, was_open).await
        })
    }
}

impl<DB: Database> fmt::Debug for DatabaseCheck<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseCheck")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
