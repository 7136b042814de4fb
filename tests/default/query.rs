//! `#[track_query]` over a real SQLite database.

use monitor_runtime::testing::Recording;
use monitor_runtime::track_query;
use sqlx::SqlitePool;

#[track_query]
async fn create_runs(pool: &SqlitePool) -> sqlx::Result<()> {
    sqlx::query("CREATE TABLE runs (id INTEGER PRIMARY KEY, question TEXT NOT NULL)").execute(pool).await?;
    Ok(())
}

#[track_query("add_run")]
async fn add_run(pool: &SqlitePool, question: Option<&str>) -> sqlx::Result<i64> {
    let added = sqlx::query("INSERT INTO runs (question) VALUES (?)").bind(question).execute(pool).await?;
    Ok(added.last_insert_rowid())
}

#[track_query]
async fn newest(pool: &SqlitePool) -> sqlx::Result<String> {
    const SQL: &str =
        "WITH newest AS (SELECT max(id) AS id FROM runs) SELECT question FROM runs JOIN newest USING (id)";
    sqlx::query_scalar(SQL).fetch_one(pool).await
}

#[track_query("forget", operation = "purge")]
async fn forget(pool: &SqlitePool) -> sqlx::Result<u64> {
    Ok(sqlx::query("DELETE FROM runs").execute(pool).await?.rows_affected())
}

#[tokio::test]
async fn queries_are_counted_by_operation_name_and_outcome() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let recording = Recording::start();
    create_runs(&pool).await.unwrap();
    add_run(&pool, Some("why?")).await.unwrap();
    add_run(&pool, None).await.unwrap_err();
    assert_eq!(newest(&pool).await.unwrap(), "why?");
    assert_eq!(forget(&pool).await.unwrap(), 1);

    let counted = |operation, query, status| {
        recording.value("db_queries_total", &[("operation", operation), ("query", query), ("status", status)])
    };
    assert_eq!(counted("other", "create_runs", "success"), 1.0);
    assert_eq!(counted("insert", "add_run", "success"), 1.0);
    assert_eq!(counted("insert", "add_run", "error"), 1.0);
    assert_eq!(counted("select", "newest", "success"), 1.0);
    assert_eq!(counted("purge", "forget", "success"), 1.0);
    assert_eq!(recording.value("db_query_duration_seconds_count", &[("query", "add_run")]), 2.0);
}
