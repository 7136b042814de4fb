//! A check that queries a database.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, Connection as _, Database, Executor, Pool, QueryBuilder};
use tokio::time::{sleep, timeout};

use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT, Report};
use super::degraded::{DegradedLog, SATURATED, TRUST};
use super::sqlite_file::{self, SqliteFile};

/// The maximum age of the check's session while the pool has idle connections, and so works without a new one.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The maximum age while the application's next query may need a new session.
const MAX_AGE_IN_NEED: Duration = Duration::from_secs(5);

/// How long an answer stays valid if its session was not kept. A short interval thus does not open a session at each
/// run.
const ANSWER_COUNTS: Duration = Duration::from_secs(1);

/// How long a run waits for the application to return a connection if nothing else shows whether the pool works.
const LEASE_WAIT: Duration = Duration::from_secs(1);

const LEASE_PAUSE: Duration = Duration::from_millis(5);

/// The pauses between attempts to reuse the slot of a session that the check has closed, until the server notices.
const SLOT_PAUSES: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(50), Duration::from_millis(200)];

/// How long a run waits for a session to close cleanly.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Queries the database of a pool: `SELECT 1`, or the header of an SQLite file.
///
/// [`check_database`](super::check_database) is for clients other than sqlx.
///
/// By default the check is named `database` and has a deadline of 5 seconds. Its messages are `database answered`,
/// `database unreachable` (refused, reset, login denied, pool closed, file gone; the log has the driver's error) and
/// `database timed out after 5s`.
///
/// It uses its own session, opened with the pool's connect options. A fully leased pool therefore does not look like an
/// outage, and the application never waits for the check. The session is kept between runs. It is replaced if it is
/// broken, or after 30 seconds (5 while the pool has no idle connection), so the check notices a server that refuses
/// new sessions only. The new session is opened before the old one is closed. If the server has no room for both, it
/// gets the old one back, and none is kept until there is room, so the check never holds a connection that the pool
/// needs. Count two in the server's connection limit.
///
/// Neither saturation nor a refusal is an outage while the pool works. The check is then degraded, with one of these
/// messages:
///
/// * `pool saturated`: all connections of the pool are leased.
/// * `database out of connections`: a limit of the server refuses the check's session.
/// * `database takes no new connections`: anything else refuses it.
///
/// In the last two cases the check borrows a connection from the pool: an idle one, or the next one returned within a
/// second. If none answers, it is unhealthy, with `database out of connections` or `database unreachable`. Leased
/// connections count as working for ten seconds after one has answered.
///
/// For SQLite no session is kept. The check is unhealthy if the file is gone, empty or replaced, or is not a database.
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
    /// Taken for a run and returned only after an answer, so a cancelled run leaves no session in the middle of a
    /// query.
    kept: Mutex<Option<Session<DB::Connection>>>,
    /// When a connection of the pool last answered, if the last run's own session was refused.
    proven: Mutex<Option<Instant>>,
    log: DegradedLog,
    file: SqliteFile,
}

/// A session of the check; `connection` is `None` if it was closed right after the answer.
struct Session<C> {
    connection: Option<C>,
    opened: Instant,
}

impl<DB: Database> DatabaseCheck<DB> {
    /// Creates the check of a pool, without using a connection.
    pub fn new(pool: Pool<DB>) -> Self {
        Self {
            name: "database".into(),
            timeout: DEFAULT_TIMEOUT,
            pool,
            kept: Mutex::new(None),
            proven: Mutex::new(None),
            log: DegradedLog::default(),
            file: SqliteFile::new(),
        }
    }

    /// Sets the name, with which most messages begin (default `database`).
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the deadline of a run, more than zero (default 5 seconds).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn keep(&self, connection: Option<DB::Connection>, opened: Instant) {
        *lock(&self.kept) = Some(Session { connection, opened });
    }

    async fn connect(&self) -> Result<DB::Connection, sqlx::Error> {
        // A query every two seconds would drown the statements in the application's log.
        let options = self.pool.connect_options().as_ref().clone().disable_statement_logging();
        sqlite_file::without_waiting(options).connect().await
    }

    /// The maximum age of the session that the check keeps.
    fn max_age(&self) -> Duration {
        if self.pool.num_idle() > 0 { MAX_AGE } else { MAX_AGE_IN_NEED }
    }
}

impl<DB: Database> DatabaseCheck<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn ask(&self) -> Result<(), sqlx::Error> {
        let kept = lock(&self.kept).take();
        if self.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        if let Some(path) = sqlite_file::path_of(DB::NAME, self.pool.connect_options().as_ref()) {
            let is_file = self.file.look(path.clone(), self.pool.size() == 0).await?;
            return self.ask_sqlite(kept, is_file.then_some(path)).await;
        }
        self.ask_server(kept).await
    }

    /// Opens a new session, since an open one keeps reading a deleted file, or its own cache.
    async fn ask_sqlite(
        &self,
        kept: Option<Session<DB::Connection>>,
        file: Option<PathBuf>,
    ) -> Result<(), sqlx::Error> {
        if let Some(session) = kept.filter(|session| session.opened.elapsed() < ANSWER_COUNTS) {
            self.keep(None, session.opened);
            return Ok(());
        }
        let answer = match file {
            Some(path) => self.read_file(&path).await,
            // No file to read a header from: the database is in memory, where a long transaction may hold the schema's
            // lock, or is not created yet.
            None => self.open().await,
        };
        match answer {
            // A lock held by another session proves enough, so the check does not wait for it.
            Err(error) if !has_sqlite_code(&error, &LOCKED) => return Err(error),
            Err(_) => {}
            Ok(connection) => close(connection).await,
        }
        self.keep(None, Instant::now());
        Ok(())
    }

    async fn read_file(&self, path: &Path) -> Result<DB::Connection, sqlx::Error> {
        let mut connection = self.connect().await?;
        connection.execute("PRAGMA busy_timeout = 0").await?;
        // Each version of sqlx takes a statement made at run time as another type; all of them take a builder's.
        let header = QueryBuilder::<DB>::new(sqlite_file::read_header(path)?);
        match connection.execute(sqlx::raw_sql(header.sql())).await {
            Err(error) if has_sqlite_code(&error, &NO_DATABASE) => return Err(error),
            // During a checkpoint the pages after the header may be partly old and partly new, so other errors do not
            // count.
            _ => {}
        }
        connection.execute("PRAGMA schema_version").await?;
        Ok(connection)
    }

    async fn ask_server(&self, kept: Option<Session<DB::Connection>>) -> Result<(), sqlx::Error> {
        let Some(Session { connection, opened }) = kept else { return self.renew(None).await };
        let Some(mut connection) = connection else {
            if opened.elapsed() >= ANSWER_COUNTS {
                return self.renew(None).await;
            }
            self.keep(None, opened);
            return Ok(());
        };
        if select_one::<DB>(&mut connection).await.is_err() {
            return self.renew(None).await;
        }
        if opened.elapsed() >= self.max_age() {
            return self.renew(Some(connection)).await;
        }
        self.keep(Some(connection), opened);
        Ok(())
    }

    /// Opens a session, and keeps it only if the pool does not need its slot.
    async fn renew(&self, old: Option<DB::Connection>) -> Result<(), sqlx::Error> {
        let opened = Instant::now();
        let had_old = old.is_some();
        let new = match (self.open().await, old) {
            (Ok(new), Some(old)) => {
                close(old).await;
                new
            }
            (Err(error), Some(old)) => {
                close(old).await;
                // The old session may have held the slot that the pool needs.
                let new = if is_out_of_connections(&error) {
                    self.open_when_free().await?
                } else {
                    return Err(error);
                };
                close(new).await;
                self.keep(None, opened);
                return Ok(());
            }
            (new, None) => new?,
        };
        if had_old || self.has_room().await {
            self.keep(Some(new), opened);
        } else {
            close(new).await;
            self.keep(None, opened);
        }
        Ok(())
    }

    async fn open(&self) -> Result<DB::Connection, sqlx::Error> {
        let mut connection = self.connect().await?;
        select_one::<DB>(&mut connection).await?;
        Ok(connection)
    }

    /// Opens a session in the slot of one that was just closed, which the server notices with a delay.
    async fn open_when_free(&self) -> Result<DB::Connection, sqlx::Error> {
        for pause in SLOT_PAUSES {
            sleep(pause).await;
            match self.open().await {
                Err(error) if is_out_of_connections(&error) => {}
                opened => return opened,
            }
        }
        self.open().await
    }

    /// Whether the pool can work beside a kept session: it has an idle connection, or the server accepts another.
    async fn has_room(&self) -> bool {
        if self.pool.num_idle() > 0 {
            return true;
        }
        match self.connect().await {
            Ok(another) => {
                close(another).await;
                true
            }
            Err(_) => false,
        }
    }

    async fn judge(&self, answer: Result<(), sqlx::Error>, proven: Option<Instant>) -> CheckResult {
        let name = &self.name;
        let error = match answer {
            Ok(()) if is_saturated(&self.pool) => {
                return Ok(self.accepted(Report::warn(SATURATED)));
            }
            Ok(()) => return Ok(self.accepted(format!("{name} answered").into())),
            Err(error) => error,
        };
        let is_full = is_out_of_connections(&error);
        if let Some(works) = self.works(proven).await {
            *lock(&self.proven) = Some(works);
            return Ok(self.refused(is_full, &error));
        }
        let message =
            if is_full { format!("{name} out of connections") } else { format!("{name} unreachable") };
        Err(CheckError::new(message).caused_by(error))
    }

    fn accepted(&self, report: Report) -> Report {
        self.log.end();
        report
    }

    /// The report for a working pool when the server refuses the check. The reason is logged once.
    fn refused(&self, is_full: bool, error: &(dyn StdError + 'static)) -> Report {
        let (name, end) =
            (&self.name, if is_full { "out of connections" } else { "takes no new connections" });
        let message = format!("{name} {end}");
        self.log.write(name, &message, Some(error));
        Report::warn(message)
    }

    /// Runs the query. If it has not answered after half of the deadline, also tests whether the pool works without a
    /// new session.
    async fn ask_and_judge(&self, proven: Option<Instant>) -> CheckResult {
        let pool_works = async {
            sleep(self.timeout / 2).await;
            // A silent server may have lost the leased connections as well, so they are not trusted here.
            self.works(None).await
        };
        tokio::select! {
            answer = self.ask() => self.judge(answer, proven).await,
            Some(works) = pool_works => {
                *lock(&self.proven) = Some(works);
                let silent = io::Error::new(io::ErrorKind::TimedOut, "no answer to a new connection");
                Ok(self.refused(false, &silent))
            }
        }
    }
}

impl<DB: Database> DatabaseCheck<DB> {
    /// When a connection of the pool last answered, or `None` if none does. The pool's counters cannot tell: while a
    /// full server refuses a connection, the attempt is included in the size, and connections cut by a restart stay
    /// idle until they are used.
    async fn works(&self, proven: Option<Instant>) -> Option<Instant> {
        // An SQLite session answers even if its file is gone.
        if self.pool.is_closed()
            || sqlite_file::path_of(DB::NAME, self.pool.connect_options().as_ref()).is_some()
        {
            return None;
        }
        let mut proven = proven.filter(|proven| proven.elapsed() < TRUST);
        while let Some(mut idle) = self.idle(proven.is_some()) {
            if idle.ping().await.is_ok() {
                return Some(Instant::now());
            }
            // Whatever cut this connection has also cut the leased ones.
            proven = None;
            drop(idle.detach());
        }
        if proven.is_some() || self.pool.size() == 0 {
            return proven.filter(|_| self.pool.size() > 0);
        }
        let wait = LEASE_WAIT.min(self.timeout / 2);
        // The pool pings a connection when it is returned, so it has just answered.
        let given_back = timeout(wait, self.given_back()).await.ok().flatten();
        given_back.map(|_| Instant::now())
    }

    /// An idle connection of the pool. The last one is left if the pool is known to work: an application that finds
    /// none would try to open one, and keep trying while the server refuses.
    fn idle(&self, is_proven: bool) -> Option<PoolConnection<DB>> {
        let is_last = self.pool.num_idle() == 1 && !is_full(&self.pool);
        if is_proven && is_last { None } else { self.pool.try_acquire() }
    }

    /// The next connection that the application returns. It opens none.
    async fn given_back(&self) -> Option<PoolConnection<DB>> {
        while !is_full(&self.pool) {
            if let Some(idle) = self.pool.try_acquire() {
                return Some(idle);
            }
            sleep(LEASE_PAUSE).await;
        }
        // The queue of `acquire` is fair, so the check also gets a connection that is never idle.
        self.pool.acquire().await.ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes a session cleanly, since a server may log one that just ends.
async fn close(connection: impl sqlx::Connection) {
    let _ = timeout(CLOSE_WAIT, connection.close()).await;
}

/// Whether the next query has to wait for a connection.
fn is_saturated<DB: Database>(pool: &Pool<DB>) -> bool {
    pool.num_idle() == 0 && is_full(pool)
}

/// Whether the pool has reached its maximum size.
fn is_full<DB: Database>(pool: &Pool<DB>) -> bool {
    pool.size() >= pool.options().get_max_connections()
}

/// Whether a limit of the server, the database or the user refuses a session: `too_many_connections` of PostgreSQL, and
/// the errors of MySQL and MariaDB, which have a separate code for the server's limit only.
fn is_out_of_connections(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    match error.code().as_deref() {
        Some("53300" | "08004") => true,
        Some("42000") => ["max_user_connections", "max_connections_per_hour"]
            .iter()
            .any(|limit| error.message().contains(limit)),
        // A full server refuses before the handshake, so the error has no SQLSTATE.
        None => error.to_string().starts_with("1040"),
        _ => false,
    }
}

/// SQLite's `BUSY` and `LOCKED`, and `NOTADB`: <https://www.sqlite.org/rescode.html>.
const LOCKED: [i32; 2] = [5, 6];
const NO_DATABASE: [i32; 1] = [26];

fn has_sqlite_code(error: &sqlx::Error, codes: &[i32]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The lowest byte is the primary result code.
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| codes.contains(&(code & 0xff)))
}

/// Queries without a prepared statement, which works through a pooler in transaction mode.
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
        // A cancelled run does not restore `proven`: the server was silent, so the leased connections may be dead.
        let proven = lock(&self.proven).take();
        Box::pin(self.ask_and_judge(proven))
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
