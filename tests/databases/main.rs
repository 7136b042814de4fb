//! Health checks and pool gauges over a real database of each driver.
//!
//! `scripts/test` starts the servers and says where they are; without it the tests that need one fail.

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod refusals;
mod sqlite;

use std::str::FromStr;
use std::time::Duration;

use monitor_runtime::Monitor;
use monitor_runtime::health::{Check, DatabaseCheck};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, Database, Pool, Row as _};

use crate::support::closed_port::ClosedPort;
use crate::support::exposition::Exposition;
use crate::support::tcp::{Mode, Proxy, eventually};

fn server_url(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set; run scripts/test, which starts the databases"))
}

fn postgres() -> PgConnectOptions {
    PgConnectOptions::from_str(&server_url("MONITOR_TEST_POSTGRES_URL")).unwrap()
}

fn mysql() -> MySqlConnectOptions {
    MySqlConnectOptions::from_str(&server_url("MONITOR_TEST_MYSQL_URL")).unwrap()
}

fn lazy<DB: Database>(options: <DB::Connection as Connection>::Options) -> Pool<DB> {
    PoolOptions::<DB>::new().max_connections(2).connect_lazy_with(options)
}

/// A monitor of one check that looks often.
fn watching<DB: Database>(pool: &Pool<DB>) -> Monitor
where
    DatabaseCheck<DB>: Check,
{
    looking_often(DatabaseCheck::new(pool.clone()))
}

/// The same, for a database that falls silent: it waits shortly.
fn watching_impatiently<DB: Database>(pool: &Pool<DB>) -> Monitor
where
    DatabaseCheck<DB>: Check,
{
    looking_often(DatabaseCheck::new(pool.clone()).timeout(Duration::from_millis(500)))
}

fn looking_often(check: impl Check) -> Monitor {
    Monitor::builder().check_interval(Duration::from_millis(20)).check(check).build().unwrap()
}

/// The status and the database's message, once there is one.
async fn readiness(monitor: &Monitor) -> (u16, String) {
    for _ in 0..12_000 {
        let response = monitor.ready();
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        let check = &body["checks"]["database"];
        if check["status"] != "pending" {
            return (response.status().as_u16(), check["message"].as_str().unwrap().to_owned());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the check does not run");
}

async fn becomes(monitor: &Monitor, status: u16, message: &str) {
    let expected = (status, message.to_owned());
    eventually(message, async || readiness(monitor).await == expected).await;
}

async fn is_healthy_until_its_pool_is_closed<DB: Database>(pool: Pool<DB>)
where
    DatabaseCheck<DB>: Check,
{
    let monitor = watching(&pool);
    becomes(&monitor, 200, "database answered").await;
    pool.close().await;
    becomes(&monitor, 503, "database unreachable").await;
}

#[tokio::test]
async fn sqlite_is_healthy_until_its_pool_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SqliteConnectOptions::new().filename(folder.path().join("notes.db")).create_if_missing(true);
    is_healthy_until_its_pool_is_closed(lazy::<sqlx::Sqlite>(options)).await;
}

#[tokio::test]
async fn postgres_is_healthy_until_its_pool_is_closed() {
    is_healthy_until_its_pool_is_closed(lazy::<sqlx::Postgres>(postgres())).await;
}

#[tokio::test]
async fn mysql_is_healthy_until_its_pool_is_closed() {
    is_healthy_until_its_pool_is_closed(lazy::<sqlx::MySql>(mysql())).await;
}

#[tokio::test]
async fn a_sqlite_file_that_cannot_be_opened_is_unreachable() {
    let monitor =
        watching(&lazy::<sqlx::Sqlite>(SqliteConnectOptions::new().filename("/no/such/folder/notes.db")));
    becomes(&monitor, 503, "database unreachable").await;
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_and_not_a_timeout() {
    let closed = ClosedPort::take();
    let port = closed.address.port();
    let postgres = lazy::<sqlx::Postgres>(PgConnectOptions::new().host("127.0.0.1").port(port));
    becomes(&watching(&postgres), 503, "database unreachable").await;
    let mysql = lazy::<sqlx::MySql>(MySqlConnectOptions::new().host("127.0.0.1").port(port));
    becomes(&watching(&mysql), 503, "database unreachable").await;
}

#[tokio::test]
async fn a_denied_login_is_unreachable_and_the_reason_is_not_shown() {
    let postgres = lazy::<sqlx::Postgres>(postgres().username("intruder").password("wrong"));
    becomes(&watching(&postgres), 503, "database unreachable").await;
    let mysql = lazy::<sqlx::MySql>(mysql().username("intruder").password("wrong"));
    becomes(&watching(&mysql), 503, "database unreachable").await;
}

async fn survives_what_the_network_does<DB: Database>(pool: Pool<DB>, proxy: Proxy)
where
    DatabaseCheck<DB>: Check,
{
    let monitor = watching_impatiently(&pool);
    becomes(&monitor, 200, "database answered").await;
    proxy.set(Mode::Silent);
    becomes(&monitor, 503, "database timed out after 500ms").await;
    proxy.set(Mode::Open);
    becomes(&monitor, 200, "database answered").await;
    proxy.set(Mode::Closed);
    becomes(&monitor, 503, "database unreachable").await;
    proxy.set(Mode::Open);
    becomes(&monitor, 200, "database answered").await;
}

#[tokio::test]
async fn a_silent_or_closed_postgres_is_unhealthy_until_it_is_back() {
    let options = postgres();
    let proxy = Proxy::to(options.get_host(), options.get_port()).await;
    let options = options.host("127.0.0.1").port(proxy.address.port());
    survives_what_the_network_does(lazy::<sqlx::Postgres>(options), proxy).await;
}

#[tokio::test]
async fn mysql_that_goes_silent_or_away_is_unhealthy_until_it_is_back() {
    let options = mysql();
    let proxy = Proxy::to(options.get_host(), options.get_port()).await;
    let options = options.host("127.0.0.1").port(proxy.address.port());
    survives_what_the_network_does(lazy::<sqlx::MySql>(options), proxy).await;
}

/// Asks for a while and expects nothing but health.
async fn stays_healthy(monitor: &Monitor) {
    for _ in 0..10 {
        assert_eq!(readiness(monitor).await, (200, "database answered".into()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_connection_that_postgres_ended_is_replaced_within_the_run() {
    let name = "monitor-check-ended";
    let monitor = watching(&lazy::<sqlx::Postgres>(postgres().application_name(name)));
    becomes(&monitor, 200, "database answered").await;
    let mut admin = postgres().connect().await.unwrap();
    let ended =
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1")
            .bind(name)
            .fetch_all(&mut admin)
            .await
            .unwrap();
    assert_eq!(ended.len(), 1, "the check has one connection");
    stays_healthy(&monitor).await;
}

#[tokio::test]
async fn a_connection_that_mysql_ended_is_replaced_within_the_run() {
    let mut admin = mysql().connect().await.unwrap();
    sqlx::raw_sql("CREATE DATABASE IF NOT EXISTS monitor_check_ended").execute(&mut admin).await.unwrap();
    let monitor = watching(&lazy::<sqlx::MySql>(mysql().database("monitor_check_ended")));
    becomes(&monitor, 200, "database answered").await;
    let found = sqlx::query("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = 'monitor_check_ended'")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    let kill = format!("KILL {}", found.get::<i64, _>(0));
    // Each version of sqlx takes a statement made at run time as another type.
    let kill = sqlx::QueryBuilder::<sqlx::MySql>::new(kill);
    sqlx::raw_sql(kill.sql()).execute(&mut admin).await.unwrap();
    stays_healthy(&monitor).await;
}

#[tokio::test]
async fn a_pool_without_idle_connections_is_saturated_and_not_down() {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(postgres()).await.unwrap();
    let leased = pool.acquire().await.unwrap();
    let monitor = Monitor::builder()
        .check_interval(Duration::from_millis(20))
        .check(DatabaseCheck::new(pool.clone()))
        .pool("saturated", &pool)
        .build()
        .unwrap();
    becomes(&monitor, 200, "pool saturated").await;
    let body: serde_json::Value = serde_json::from_slice(monitor.ready().body()).unwrap();
    assert_eq!(
        (&body["status"], &body["checks"]["database"]["status"]),
        (&"ready".into(), &"degraded".into())
    );
    assert_eq!(gauges(&monitor, "saturated"), [Some(1), Some(0), Some(1)]);
    drop(leased);
    becomes(&monitor, 200, "database answered").await;
}

fn gauge(monitor: &Monitor, metric: &str, pool: &str) -> Option<u64> {
    let text = String::from_utf8(monitor.metrics().into_body().into()).unwrap();
    Exposition::read(&text).count(&format!("{metric}{{pool=\"{pool}\"}}"))
}

fn gauges(monitor: &Monitor, pool: &str) -> [Option<u64>; 3] {
    ["db_connections_active", "db_connections_idle", "db_connections_max"]
        .map(|metric| gauge(monitor, metric, pool))
}

async fn shows_its_connections<DB: Database>(name: &'static str, pool: Pool<DB>) {
    let monitor = Monitor::builder().pool(name, &pool).build().unwrap();
    let leased = pool.acquire().await.unwrap();
    assert_eq!(gauges(&monitor, name), [Some(1), Some(0), Some(3)]);
    drop(leased);
    eventually("the connection is idle", async || gauges(&monitor, name) == [Some(0), Some(1), Some(3)])
        .await;
}

#[tokio::test]
async fn a_pools_gauges_are_read_when_somebody_scrapes() {
    let sqlite = SqlitePoolOptions::new().max_connections(3).connect_lazy("sqlite::memory:").unwrap();
    shows_its_connections("gauges-sqlite", sqlite).await;
    let postgres = PgPoolOptions::new().max_connections(3).connect_lazy_with(postgres());
    shows_its_connections("gauges-postgres", postgres).await;
    let mysql = MySqlPoolOptions::new().max_connections(3).connect_lazy_with(mysql());
    shows_its_connections("gauges-mysql", mysql).await;
}

#[tokio::test]
async fn a_pool_is_shown_for_as_long_as_its_monitor_lives() {
    let pool = SqlitePoolOptions::new().connect_lazy("sqlite::memory:").unwrap();
    let other = Monitor::builder().build().unwrap();
    let monitor = Monitor::builder().pool("short-lived", &pool).build().unwrap();
    assert_eq!(gauge(&other, "db_connections_max", "short-lived"), Some(10), "metrics are the process's");
    drop(monitor);
    assert_eq!(gauge(&other, "db_connections_max", "short-lived"), None);
}
