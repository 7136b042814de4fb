//! The notes' passages and the runs, in a database.

mod passages;
mod runs;
mod sql;

use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _, Transaction};
use tokio::time::{sleep, timeout};

pub(crate) use runs::{EndedRun, ListedRun, Status};

use crate::database::Database;
use sql::Sql;

/// Time limit of a request for a connection, of the start for the database, and of the stop for the last queries.
const PATIENCE: Duration = Duration::from_secs(5);

const CONNECTIONS: u32 = 8;

/// SQLite's code for a lock that another connection holds: <https://www.sqlite.org/rescode.html#busy>.
const SQLITE_BUSY: i32 = 5;

/// A pool of connections to the database. Clones are the same pool.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: AnyPool,
    sql: &'static Sql,
}

impl Store {
    /// Makes a pool without connections. Close it in every case.
    pub(crate) fn new(database: &Database) -> Self {
        let sql = Sql::of(database.kind);
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| {
                Box::pin(async { connection.execute(sql.on_connect).await.map(drop) })
            })
            .connect_lazy_with(database.options.clone());
        Self { pool, sql }
    }

    /// Uses the database once, for at most [`PATIENCE`], and creates a missing SQLite file. A pool would retry until the time is
    /// up, and could not report the reason.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before its end, a thread still opens the connection to a file, and may write until it ends.
    pub(crate) async fn reach(&self, database: &Database) -> anyhow::Result<()> {
        let reached = reach(database, self.sql).await;
        reached.with_context(|| format!("the database {} cannot be used", database.name))
    }

    /// Creates the missing tables.
    pub(crate) async fn make_tables(&self, database: &Database) -> anyhow::Result<()> {
        let made = self.create_tables().await;
        made.with_context(|| format!("the tables of the database {} cannot be made", database.name))
    }

    /// Waits for the running queries, and closes every connection.
    ///
    /// Connections still busy after [`PATIENCE`], such as one that waits for a lock, are left to the end of the process.
    pub(crate) async fn close(&self) {
        let closing = async {
            // Without a connection, the database could not be reached, or not yet.
            if let Some(statement) = self.sql.on_close.filter(|_| self.pool.size() > 0)
                && let Err(error) = self.pool.execute(statement).await
            {
                tracing::debug!(error = &error as &dyn std::error::Error, "the database is not tidied up");
            }
            self.pool.close().await;
        };
        if timeout(PATIENCE, closing).await.is_err() {
            tracing::warn!("the database is not closed: a query has not ended in {PATIENCE:?}");
        }
    }

    /// The pool, for checks and metrics.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a transaction for writing. Those of other instances of the service wait until it ends.
    async fn begin(&self) -> sqlx::Result<Transaction<'static, Any>> {
        let mut transaction = when_free(async || self.pool.begin_with(self.sql.begin).await).await?;
        if let Some(lock) = self.sql.lock {
            transaction.execute(lock).await?;
        }
        Ok(transaction)
    }

    async fn create_tables(&self) -> sqlx::Result<()> {
        let mut transaction = self.begin().await?;
        transaction.execute(sqlx::raw_sql(self.sql.tables)).await?;
        transaction.commit().await
    }
}

async fn reach(database: &Database, sql: &Sql) -> anyhow::Result<()> {
    let reaching = async {
        let mut connection = AnyConnection::connect_with(&database.first).await?;
        if let Some(statement) = sql.on_start {
            when_free(async || connection.execute(statement).await).await?;
        }
        connection.execute(sql.on_connect).await?;
        connection.close().await
    };
    let Ok(reached) = timeout(PATIENCE, reaching).await else { bail!("no answer in {PATIENCE:?}") };
    Ok(reached?)
}

/// Retries while another connection holds a lock that SQLite does not wait for, or not for long enough.
async fn when_free<T>(mut attempt: impl AsyncFnMut() -> sqlx::Result<T>) -> sqlx::Result<T> {
    loop {
        match attempt().await {
            Err(error) if is_busy(&error) => {
                tracing::info!("the database is locked by somebody else: waiting");
                sleep(Duration::from_millis(50)).await;
            }
            done => return done,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The lowest byte is the code; those above add detail.
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == SQLITE_BUSY)
}
