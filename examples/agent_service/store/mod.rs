//! The notes' passages and the runs, in a database.

mod passages;
mod runs;
mod sql;

use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _};
use tokio::time::timeout;

pub(crate) use runs::{EndedRun, ListedRun, Status};

use crate::database::Database;
use sql::Sql;

/// How long a request waits for a connection, and the start for the database.
const PATIENCE: Duration = Duration::from_secs(5);

const CONNECTIONS: u32 = 8;

/// A pool of connections to the database. Clones are the same pool.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: AnyPool,
    sql: &'static Sql,
}

impl Store {
    /// Connects, and makes the tables that are not there yet.
    pub(crate) async fn open(database: &Database) -> anyhow::Result<Self> {
        let sql = Sql::of(database.kind);
        reach(database, sql)
            .await
            .with_context(|| format!("the database {} cannot be used", database.name))?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| {
                Box::pin(async { connection.execute(sql.on_connect).await.map(drop) })
            })
            .connect_lazy_with(database.options.clone());
        let store = Self { pool, sql };
        store.create_tables().await.context("the database's tables cannot be made")?;
        Ok(store)
    }

    /// The pool, for those who watch it.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    async fn create_tables(&self) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin().await?;
        transaction.execute(self.sql.lock).await?;
        transaction.execute(sqlx::raw_sql(self.sql.tables)).await?;
        transaction.commit().await
    }
}

/// Uses the database once. A pool would try again for as long as this fails, and could not say why in the end.
async fn reach(database: &Database, sql: &Sql) -> anyhow::Result<()> {
    let reaching = async {
        let mut connection = AnyConnection::connect_with(&database.options).await?;
        connection.execute(sql.on_connect).await?;
        connection.close().await
    };
    let Ok(reached) = timeout(PATIENCE, reaching).await else { bail!("no answer in {PATIENCE:?}") };
    Ok(reached?)
}
