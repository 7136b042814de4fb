//! Checks and gauges of clients other than sqlx, on real databases.

use std::time::Duration;

use database_clients::{deadpool, orm};
use deadpool_postgres::tokio_postgres::{Config, NoTls};
use deadpool_postgres::{Manager, Pool};
use monitor_runtime::Monitor;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database};
use serde_json::Value;
use tokio::sync::Mutex;

async fn becomes(monitor: &Monitor, status: u16, message: &str) {
    let mut found = (0, Value::Null);
    for _ in 0..3_000 {
        let answer = monitor.ready();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        found = (answer.status().as_u16(), body["checks"]["database"]["message"].clone());
        if found == (status, message.into()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is {found:?} and not {message:?}");
}

/// Each test shows a pool of this process under the same name.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The connections that are leased, idle and possible.
fn gauges(monitor: &Monitor) -> [String; 3] {
    let text = String::from_utf8(monitor.metrics().into_body().into()).unwrap();
    ["active", "idle", "max"].map(|kind| {
        let series = format!("db_connections_{kind}{{pool=\"main\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().to_owned()
    })
}

fn pool_of_two(config: Config) -> Pool {
    Pool::builder(Manager::new(config, NoTls)).max_size(2).build().unwrap()
}

#[tokio::test]
async fn deadpool_is_saturated_and_not_down_and_shows_its_connections() {
    let _alone = ALONE.lock().await;
    let url =
        std::env::var("MONITOR_TEST_POSTGRES_URL").expect("run scripts/test, which starts the databases");
    let pool = pool_of_two(url.parse().unwrap());
    let monitor = deadpool::monitor(&pool).unwrap();
    becomes(&monitor, 200, "database answered").await;
    let leased = [pool.get().await.unwrap(), pool.get().await.unwrap()];
    becomes(&monitor, 200, "pool saturated").await;
    assert_eq!(gauges(&monitor), ["2", "0", "2"]);
    drop(leased);
    becomes(&monitor, 200, "database answered").await;
    pool.close();
    becomes(&monitor, 503, "database unreachable").await;
}

#[tokio::test]
async fn deadpool_with_a_server_that_refuses_is_unreachable() {
    let _alone = ALONE.lock().await;
    let mut config = Config::new();
    // Nothing listens there.
    config.host("127.0.0.1").port(1).user("nobody");
    becomes(&deadpool::monitor(&pool_of_two(config)).unwrap(), 503, "database unreachable").await;
}

#[tokio::test]
async fn sea_orm_gives_the_pool_below_it() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("notes.db").display());
    let mut options = ConnectOptions::new(url);
    options.max_connections(3).min_connections(1);
    let database = Database::connect(options).await.unwrap();
    database.execute_unprepared("CREATE TABLE notes (body TEXT)").await.unwrap();
    let monitor = orm::monitor(&database).unwrap();
    becomes(&monitor, 200, "database answered").await;
    assert_eq!(gauges(&monitor)[2], "3");
    std::fs::remove_file(folder.path().join("notes.db")).unwrap();
    becomes(&monitor, 503, "database unreachable").await;
}
