//! Readiness with a real PostgreSQL that is stopped, killed, paused, restarted and full.

use std::time::Duration;

use monitor_runtime::health::{Check as _, CheckResult, DatabaseCheck, Report};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, PgConnection, PgPool, Postgres};

use crate::support::postgres::Server;
use crate::support::tcp::eventually;
use crate::{becomes, lazy, readiness, stays_healthy, watching, watching_impatiently};

const ANSWERED: &str = "database answered";
const UNREACHABLE: &str = "database unreachable";
const OUT_OF_CONNECTIONS: &str = "database out of connections";

/// The settings of a server that is soon full.
const SMALL: &[&str] = &["max_connections=5", "superuser_reserved_connections=0"];

fn pool(server: &Server) -> PgPool {
    lazy::<Postgres>(server.options())
}

#[tokio::test]
async fn a_stopped_postgres_is_unreachable_until_it_is_started() {
    let mut server = Server::start(&[]);
    let monitor = watching(&pool(&server));
    becomes(&monitor, 200, ANSWERED).await;
    server.stop();
    becomes(&monitor, 503, UNREACHABLE).await;
    server.run();
    becomes(&monitor, 200, ANSWERED).await;
}

#[tokio::test]
async fn a_killed_postgres_is_unreachable_until_it_has_recovered() {
    let mut server = Server::start(&[]);
    let monitor = watching(&pool(&server));
    becomes(&monitor, 200, ANSWERED).await;
    server.kill();
    becomes(&monitor, 503, UNREACHABLE).await;
    server.run();
    becomes(&monitor, 200, ANSWERED).await;
}

#[tokio::test]
async fn a_postgres_that_is_paused_is_timed_out_until_it_goes_on() {
    let server = Server::start(&[]);
    let monitor = watching_impatiently(&pool(&server));
    becomes(&monitor, 200, ANSWERED).await;
    server.pause();
    becomes(&monitor, 503, "database timed out after 500ms").await;
    assert_eq!(monitor.live().status(), 200);
    server.resume();
    becomes(&monitor, 200, ANSWERED).await;
}

#[tokio::test]
async fn a_postgres_that_was_restarted_is_asked_over_a_new_connection() {
    let mut server = Server::start(&[]);
    let monitor = watching(&pool(&server));
    becomes(&monitor, 200, ANSWERED).await;
    server.stop();
    server.run();
    becomes(&monitor, 200, ANSWERED).await;
    stays_healthy(&monitor).await;
}

/// Connects until the server takes no more.
async fn fill(server: &Server) -> Vec<PgConnection> {
    let mut held = Vec::new();
    while let Ok(connection) = server.options().connect().await {
        held.push(connection);
    }
    held
}

/// The pool's idle connection, once it has been returned.
async fn leased(pool: &PgPool) -> PoolConnection<Postgres> {
    eventually("it is idle", async || pool.num_idle() > 0).await;
    pool.try_acquire().unwrap()
}

#[tokio::test]
async fn a_full_postgres_is_down_only_for_pools_without_connections() {
    let server = Server::start(SMALL);
    let early = watching(&pool(&server));
    becomes(&early, 200, ANSWERED).await;
    let open = PgPoolOptions::new().connect_with(server.options()).await.unwrap();

    let held = fill(&server).await;
    let (with_pool, with_none) = (watching(&open), watching(&pool(&server)));
    assert_eq!(readiness(&with_none).await, (503, OUT_OF_CONNECTIONS.into()));
    assert_eq!(readiness(&with_pool).await, (200, OUT_OF_CONNECTIONS.into()));
    stays_healthy(&early).await;
    let check = DatabaseCheck::new(open.clone());
    assert_eq!(check.run().await.unwrap(), out_of_connections());
    let leased = leased(&open).await;
    // Runs of their own, where readiness may tell of the same one twice.
    for _ in 0..10 {
        assert_eq!(check.run().await.unwrap(), out_of_connections());
    }
    assert_eq!(readiness(&with_pool).await, (200, OUT_OF_CONNECTIONS.into()));

    drop((leased, held));
    becomes(&with_none, 200, ANSWERED).await;
    becomes(&with_pool, 200, ANSWERED).await;
}

#[tokio::test]
async fn a_pool_that_waits_for_its_first_connection_has_none() {
    let server = Server::start(SMALL);
    let held = fill(&server).await;
    let waiting = pool(&server);
    let first = tokio::spawn(waiting.acquire());
    eventually("it asks for one", async || waiting.size() > 0).await;

    let monitor = watching(&waiting);
    assert_eq!(readiness(&monitor).await, (503, OUT_OF_CONNECTIONS.into()));
    assert!(!first.is_finished());
    drop(held);
    becomes(&monitor, 200, ANSWERED).await;
    drop(first.await.unwrap().unwrap());
}

/// The report of a run with a full server and a working pool.
fn out_of_connections() -> Report {
    Report::warn(OUT_OF_CONNECTIONS)
}

fn assert_is_down(result: CheckResult) {
    let error = format!("{:?}", result.expect_err("the pool has no connection open"));
    assert!(error.contains(OUT_OF_CONNECTIONS), "{error}");
}

/// A pool that wants one more connection, on a server that is full.
async fn wants_one(pool: &PgPool, open: u32) {
    let pool = pool.clone();
    let wanting = pool.clone();
    tokio::spawn(async move { wanting.acquire().await.map(drop) });
    eventually("it asks for one", async || pool.size() > open && pool.num_idle() == 0).await;
}

#[tokio::test]
async fn pool_of_a_full_restarted_server_is_unhealthy() {
    let mut server = Server::start(SMALL);
    let idle = PgPoolOptions::new().max_connections(2).connect_with(server.options()).await.unwrap();
    let busy = PgPoolOptions::new().max_connections(1).connect_with(server.options()).await.unwrap();
    let (with_idle, with_busy) = (DatabaseCheck::new(idle.clone()), DatabaseCheck::new(busy.clone()));
    assert_eq!(with_idle.run().await.unwrap(), ANSWERED.to_owned().into());
    assert_eq!(with_busy.run().await.unwrap(), ANSWERED.to_owned().into());

    server.stop();
    server.run();
    let held = fill(&server).await;
    wants_one(&busy, 0).await;
    assert_eq!((idle.num_idle(), busy.size()), (1, 1), "nothing tells from outside");
    for _ in 0..2 {
        assert_is_down(with_idle.run().await);
        assert_is_down(with_busy.run().await);
    }

    drop(held);
    eventually("there is room again", async || with_idle.run().await.is_ok()).await;
    eventually("there is room again", async || with_busy.run().await.is_ok()).await;
}

#[tokio::test]
async fn pool_of_a_full_server_that_fell_silent_is_unhealthy() {
    let mut server = Server::start(SMALL);
    let pool = PgPoolOptions::new().connect_with(server.options()).await.unwrap();
    let check = DatabaseCheck::new(pool.clone());
    let held = fill(&server).await;
    assert_eq!(check.run().await.unwrap(), out_of_connections());
    let leased = leased(&pool).await;
    assert_eq!(check.run().await.unwrap(), out_of_connections());

    server.pause();
    let cut_short = tokio::time::timeout(Duration::from_millis(300), check.run()).await;
    assert!(cut_short.is_err(), "{cut_short:?}");
    server.kill();
    server.run();
    drop(held);
    let held = fill(&server).await;
    assert_is_down(check.run().await);
    drop((leased, held));
}

/// Ends the connection of that name, and takes its place.
async fn take_place_of(name: &str, server: &Server, held: &mut Vec<PgConnection>) {
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    let ended = sqlx::query(end).bind(name).fetch_all(&mut held[0]).await.unwrap();
    assert_eq!(ended.len(), 1, "{name} has one connection");
    for _ in 0..3_000 {
        if let Ok(connection) = server.options().connect().await {
            held.push(connection);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} keeps its connection");
}

#[tokio::test]
async fn a_busy_pool_survives_the_checks_lost_connection_if_full() {
    let server = Server::start(SMALL);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(server.options()).await.unwrap();
    pool.set_connect_options(server.options().application_name("check"));
    let check = DatabaseCheck::new(pool.clone());
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let pool = pool.clone();
        workers.spawn(async move {
            while let Ok(leased) = pool.acquire().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
                drop(leased);
            }
        });
    }
    eventually("it is saturated", async || check.run().await.unwrap() == Report::warn("pool saturated"))
        .await;

    let mut held = fill(&server).await;
    take_place_of("check", &server, &mut held).await;
    assert_eq!(check.run().await.unwrap(), out_of_connections());
}
