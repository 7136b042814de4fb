//! A database that answers.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Database, Executor, Pool};
use tokio::time::{sleep, timeout};

use super::check::{BoxFuture, Check, CheckError, CheckResult, DEFAULT_TIMEOUT, Report};
use super::sqlite_file::{self, SqliteFile};

/// How old the check's own session may get while the pool has idle ones, and so can work without a new one.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The same, while the next query of the application may need a new session.
const MAX_AGE_IN_NEED: Duration = Duration::from_secs(5);

/// How long an answer counts whose session was not kept, so that a short interval does not open one at each run.
const ANSWER_COUNTS: Duration = Duration::from_secs(1);

/// How long leased connections count as working after the pool was last seen to have one that does.
const TRUST: Duration = Duration::from_secs(10);

/// How long a run waits for a connection that the application gives back, where nothing else tells whether the pool has one.
const LEASE_WAIT: Duration = Duration::from_secs(1);

const LEASE_PAUSE: Duration = Duration::from_millis(5);

/// How long a run waits until a server has noticed that the check closed its session, and how often it looks.
const SLOT_PAUSES: [Duration; 3] =
    [Duration::from_millis(10), Duration::from_millis(50), Duration::from_millis(200)];

/// How long a run waits for a goodbye to be sent.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// Asks a pool's database a small question: `SELECT 1`, or the header of an SQLite file.
///
/// The check is named `database` and has 5 seconds. It says `database answered`, `database unreachable` (refused,
/// reset, login denied, pool closed, file gone: the log has what the driver said) or `database timed out after 5s`.
///
/// It asks over a session of its own, opened with the pool's connect options, so a pool whose connections are all leased
/// does not look like a database that is down, and the application does not wait for the check. The session is kept between
/// runs and replaced when it turns out to be broken, or is 30 seconds old (5 while the pool has none idle), so the check
/// notices when a server refuses new sessions only. The new one is opened before the old one is closed: a server that has no
/// room for both gets back the old one, and from then on none is kept until there is room, so the check never holds the
/// one that the pool needs. Count two in the server's connection limit.
///
/// Neither saturation nor a refusal is an outage while the pool works. The check is healthy as degraded and says
/// `pool saturated` while every connection of the pool is leased, `database out of connections` while a limit of the server
/// keeps the check out, and `database takes no new connections` while anything else does. In the latter two it asks over
/// the pool's: an idle one, or the next that is given back within a second. If none answers it is unhealthy, and says
/// `database out of connections` or `database unreachable`. Connections that stay leased count as working for ten seconds after
/// one has answered.
///
/// Of SQLite no session is kept. The check is unhealthy if the file is gone, was emptied or was replaced, or is no database.
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
    kept: Mutex<Option<Session<DB::Connection>>>,
    /// When the pool was last seen to have a connection that works, if the last run was refused one of its own.
    proven: Mutex<Option<Instant>>,
    is_refused: AtomicBool,
    file: SqliteFile,
}

/// A session of the check's, open or closed again.
struct Session<C> {
    connection: Option<C>,
    opened: Instant,
}

impl<DB: Database> DatabaseCheck<DB> {
    /// Makes the check of a pool; the pool is not asked for a connection.
    pub fn new(pool: Pool<DB>) -> Self {
        Self {
            name: "database".into(),
            timeout: DEFAULT_TIMEOUT,
            pool,
            kept: Mutex::new(None),
            proven: Mutex::new(None),
            is_refused: AtomicBool::new(false),
            file: SqliteFile::new(),
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

    fn keep(&self, connection: Option<DB::Connection>, opened: Instant) {
        *lock(&self.kept) = Some(Session { connection, opened });
    }

    async fn connect(&self) -> Result<DB::Connection, sqlx::Error> {
        // A question every two seconds would drown the statements that the application logs.
        let options = self.pool.connect_options().as_ref().clone().disable_statement_logging();
        sqlite_file::without_waiting(options).connect().await
    }

    /// How old a session may be whose answer says that the pool works.
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

    /// Asks over a new session, since one that is open goes on reading a file that is gone, or its own copy of it.
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
            // In memory, a long transaction may have the schema locked; one that is not made yet has none.
            None => self.open().await,
        };
        match answer {
            // The lock of another session tells enough, and is not waited for.
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
        let header = AssertSqlSafe(sqlite_file::read_header(path)?);
        match connection.execute(sqlx::raw_sql(header)).await {
            Err(error) if has_sqlite_code(&error, &NO_DATABASE) => return Err(error),
            // A checkpoint may be under way, so what follows the header may be half old and half new.
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

    /// Opens a session, and keeps it if it is not in the pool's way.
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
                // The old one may have had the place that the pool needs.
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

    /// Opens a session in the place of one that was just closed, which a server notices a little later.
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

    /// Whether the pool can do beside a session that the check keeps: it has one, or the server has room for one more.
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
                return Ok(self.accepted(Report::warn("pool saturated")));
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
        self.is_refused.store(false, Ordering::Relaxed);
        report
    }

    /// The report of a pool that works although the server refuses the check, whose reason is logged once.
    fn refused(&self, is_full: bool, error: &(dyn StdError + 'static)) -> Report {
        let (name, end) =
            (&self.name, if is_full { "out of connections" } else { "takes no new connections" });
        let message = format!("{name} {end}");
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: "monitor_runtime::health",
                check = %name,
                reason = %message,
                error,
                "health check is degraded"
            );
        }
        Report::warn(message)
    }

    /// Asks, and if no answer has come in half of the time, also whether the pool works without a new session.
    async fn ask_and_judge(&self, proven: Option<Instant>) -> CheckResult {
        let pool_works = async {
            sleep(self.timeout / 2).await;
            // What keeps the server silent may have cut off what stays leased.
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
    /// When the pool was seen to have a connection that works. Its counts do not tell: what it tries to open is in its size for
    /// as long as a full server refuses that, and what was cut by a restart stays idle until somebody takes it.
    async fn works(&self, proven: Option<Instant>) -> Option<Instant> {
        // A session of a file that is gone answers as before.
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
            // What cut this one has cut those that are leased.
            proven = None;
            drop(idle.detach());
        }
        if proven.is_some() || self.pool.size() == 0 {
            return proven.filter(|_| self.pool.size() > 0);
        }
        let wait = LEASE_WAIT.min(self.timeout / 2);
        // What is given back has just been seen to work by the pool.
        let given_back = timeout(wait, self.given_back()).await.ok().flatten();
        given_back.map(|_| Instant::now())
    }

    /// An idle connection of the pool's, but for the last where it is not needed: an application that finds none tries to open
    /// one, and goes on trying while the server refuses that.
    fn idle(&self, is_proven: bool) -> Option<PoolConnection<DB>> {
        let is_last = self.pool.num_idle() == 1 && !is_full(&self.pool);
        if is_proven && is_last { None } else { self.pool.try_acquire() }
    }

    /// The next connection that the application gives back, opening none.
    async fn given_back(&self) -> Option<PoolConnection<DB>> {
        while !is_full(&self.pool) {
            if let Some(idle) = self.pool.try_acquire() {
                return Some(idle);
            }
            sleep(LEASE_PAUSE).await;
        }
        // Those who wait come first here, so that one is seen that is never idle.
        self.pool.acquire().await.ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says goodbye, since a server may log a session that just ends.
async fn close(connection: impl sqlx::Connection) {
    let _ = timeout(CLOSE_WAIT, connection.close()).await;
}

/// Whether a further query would have to wait for a connection.
fn is_saturated<DB: Database>(pool: &Pool<DB>) -> bool {
    pool.num_idle() == 0 && is_full(pool)
}

/// Whether the pool opens no more.
fn is_full<DB: Database>(pool: &Pool<DB>) -> bool {
    pool.size() >= pool.options().get_max_connections()
}

/// Whether a limit of the server, of the database or of the user keeps the check out: `too_many_connections` of PostgreSQL,
/// and those of MySQL and MariaDB, which have a code of its own for the server's limit only.
fn is_out_of_connections(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    match error.code().as_deref() {
        Some("53300" | "08004") => true,
        Some("42000") => ["max_user_connections", "max_connections_per_hour"]
            .iter()
            .any(|limit| error.message().contains(limit)),
        // The first word of a server that is full comes without the code.
        None => error.to_string().starts_with("1040"),
        _ => false,
    }
}

/// SQLite's `BUSY` and `LOCKED`, and `NOTADB`: <https://www.sqlite.org/rescode.html>.
const LOCKED: [i32; 2] = [5, 6];
const NO_DATABASE: [i32; 1] = [26];

fn has_sqlite_code(error: &sqlx::Error, codes: &[i32]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The lowest byte is the code; those above say more.
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| codes.contains(&(code & 0xff)))
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
        // A run that is cut short leaves it so: a server that keeps silent may have been away.
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
