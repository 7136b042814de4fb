use std::time::Duration;

use monitor_runtime::health::{CheckError, DatabaseCheck, DiskCheck, check_fn};
use monitor_runtime::{BuildError, Monitor};

async fn index_is_fresh() -> Result<&'static str, CheckError> {
    let age = std::fs::metadata("/srv/index")?.modified()?.elapsed()?;
    if age > Duration::from_hours(1) {
        return Err(CheckError::new("index is older than an hour"));
    }
    Ok("index is fresh")
}

fn monitor(pool: &sqlx::SqlitePool) -> Result<Monitor, BuildError> {
    Monitor::builder()
        .service("notes", "1.4.2")
        .check_interval(Duration::from_secs(2))
        .check(DatabaseCheck::new(pool.clone()).timeout(Duration::from_secs(1)))
        .check(DiskCheck::new("/").min_free_bytes(500_000_000))
        .check(check_fn("index", index_is_fresh).timeout(Duration::from_millis(250)))
        .pool("main", pool)
        .build()
}
