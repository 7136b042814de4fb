//! Readiness with an SQLite file that is damaged, moved or locked.

use std::fs;
use std::path::{Path, PathBuf};

use monitor_runtime::Monitor;
use sqlx::any::AnyPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, SqlitePool};
use tempfile::TempDir;

use crate::support::tcp::eventually;
use crate::{becomes, readiness, stays_healthy, watching, watching_impatiently};

const ANSWERED: &str = "database answered";
const UNREACHABLE: &str = "database unreachable";

/// A file that a pool with two open connections has a table in, and a monitor that has seen it.
struct Notes {
    folder: TempDir,
    pool: SqlitePool,
    monitor: Monitor,
}

impl Notes {
    async fn make(mode: SqliteJournalMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(path_in(&folder)).create_if_missing(true);
        let options = options.journal_mode(mode);
        let pool = SqlitePoolOptions::new().max_connections(4).min_connections(2).connect_with(options);
        let pool = pool.await.unwrap();
        pool.execute("CREATE TABLE notes (body TEXT); INSERT INTO notes VALUES ('tea')").await.unwrap();
        let monitor = watching(&pool);
        becomes(&monitor, 200, ANSWERED).await;
        stays_healthy(&monitor).await;
        Self { folder, pool, monitor }
    }

    async fn all() -> [Self; 2] {
        [Self::make(SqliteJournalMode::Delete).await, Self::make(SqliteJournalMode::Wal).await]
    }

    fn path(&self) -> PathBuf {
        path_in(&self.folder)
    }
}

/// A name that has to be escaped in a URL, and one escape that is meant as it is written.
fn path_in(folder: &TempDir) -> PathBuf {
    folder.path().join("the notes%20.db")
}

#[tokio::test]
async fn a_deleted_file_is_unreachable_and_not_made_anew() {
    for notes in Notes::all().await {
        fs::remove_file(notes.path()).unwrap();
        becomes(&notes.monitor, 503, UNREACHABLE).await;
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        assert_eq!(readiness(&notes.monitor).await, (503, UNREACHABLE.into()));
        assert!(!notes.path().exists(), "the check has made another");
    }
}

#[tokio::test]
async fn a_replaced_file_is_unreachable_despite_open_sessions() {
    for notes in Notes::all().await {
        let copy = notes.folder.path().join("copy.db");
        fs::copy(notes.path(), &copy).unwrap();
        fs::rename(&copy, notes.path()).unwrap();
        becomes(&notes.monitor, 503, UNREACHABLE).await;
        assert!(notes.pool.size() > 0);
    }
}

#[tokio::test]
async fn a_file_that_is_noise_or_empty_is_unreachable() {
    for notes in Notes::all().await {
        fs::write(notes.path(), vec![0xa5; 200_000]).unwrap();
        becomes(&notes.monitor, 503, UNREACHABLE).await;
    }
    for notes in Notes::all().await {
        fs::write(notes.path(), "").unwrap();
        becomes(&notes.monitor, 503, UNREACHABLE).await;
    }
}

#[tokio::test]
async fn a_folder_that_is_gone_is_unreachable() {
    for notes in Notes::all().await {
        let elsewhere = notes.folder.path().with_extension("moved");
        fs::rename(notes.folder.path(), &elsewhere).unwrap();
        becomes(&notes.monitor, 503, UNREACHABLE).await;
        fs::rename(&elsewhere, notes.folder.path()).unwrap();
        becomes(&notes.monitor, 200, ANSWERED).await;
    }
}

#[tokio::test]
async fn a_file_that_another_session_has_locked_is_no_outage() {
    for notes in Notes::all().await {
        let options = SqliteConnectOptions::new().filename(notes.path());
        let mut other = options.connect().await.unwrap();
        other.execute("BEGIN EXCLUSIVE; INSERT INTO notes VALUES ('coffee')").await.unwrap();
        let monitor = watching_impatiently(&notes.pool);
        becomes(&monitor, 200, ANSWERED).await;
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        stays_healthy(&monitor).await;
        other.execute("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_healthy() {
    let notes = Notes::make(SqliteJournalMode::Delete).await;
    let options = SqliteConnectOptions::new().filename(notes.path()).read_only(true);
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    becomes(&watching(&pool), 200, ANSWERED).await;
}

#[tokio::test]
async fn a_database_in_memory_is_healthy_in_a_long_transaction() {
    for url in ["sqlite::memory:", "sqlite://?mode=memory&cache=private"] {
        let pool = SqlitePoolOptions::new().max_connections(2).connect(url).await.unwrap();
        let mut transaction = pool.begin().await.unwrap();
        transaction.execute("CREATE TABLE notes (body TEXT)").await.unwrap();
        let monitor = watching_impatiently(&pool);
        becomes(&monitor, 200, ANSWERED).await;
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        stays_healthy(&monitor).await;
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_behind_the_any_driver_is_watched_too() {
    sqlx::any::install_default_drivers();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes %.db");
    let url = format!("sqlite://{}?mode=rwc", in_url(&path));
    let pool = AnyPoolOptions::new().connect(&url).await.unwrap();
    pool.execute("CREATE TABLE notes (body TEXT)").await.unwrap();
    let monitor = watching(&pool);
    becomes(&monitor, 200, ANSWERED).await;
    eventually("it was seen", async || {
        fs::remove_file(&path).ok();
        readiness(&monitor).await == (503, UNREACHABLE.into())
    })
    .await;
    assert!(!path.exists());
}

fn in_url(path: &Path) -> String {
    path.to_str().unwrap().replace('%', "%25").replace(' ', "%20")
}
