//! What readiness says of a real PostgreSQL that is stopped, killed, paused, restarted and full.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, PgConnection, PgPool, Postgres};

use crate::server::Server;
use crate::tcp::eventually;
use crate::{becomes, lazy, readiness, stays_healthy, watching, watching_impatiently};

const ANSWERED: &str = "database answered";
const UNREACHABLE: &str = "database unreachable";

fn pool(server: &Server) -> PgPool {
    lazy::<Postgres>(server.options())
}

#[tokio::test]
async fn a_postgres_that_is_stopped_is_unreachable_until_it_is_started() {
    let mut server = Server::start(&[]);
    let monitor = watching(&pool(&server));
    becomes(&monitor, 200, ANSWERED).await;
    server.stop();
    becomes(&monitor, 503, UNREACHABLE).await;
    server.run();
    becomes(&monitor, 200, ANSWERED).await;
}

#[tokio::test]
async fn a_postgres_that_is_killed_is_unreachable_until_it_has_recovered() {
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

#[tokio::test]
async fn a_postgres_without_a_connection_to_spare_is_down_only_for_those_who_have_none() {
    let server = Server::start(&["max_connections=5", "superuser_reserved_connections=0"]);
    let early = watching(&pool(&server));
    becomes(&early, 200, ANSWERED).await;
    let open = PgPoolOptions::new().connect_with(server.options()).await.unwrap();

    let held = fill(&server).await;
    let (with_pool, with_none) = (watching(&open), watching(&pool(&server)));
    assert_eq!(readiness(&with_none).await, (503, "database out of connections".into()));
    assert_eq!(readiness(&with_pool).await, (200, "database out of connections".into()));
    stays_healthy(&early).await;
    let leased = open.acquire().await.unwrap();
    for _ in 0..10 {
        assert_eq!(readiness(&with_pool).await, (200, "database out of connections".into()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    drop((leased, held));
    becomes(&with_none, 200, ANSWERED).await;
    becomes(&with_pool, 200, ANSWERED).await;
}

#[tokio::test]
async fn a_pool_that_waits_for_its_first_connection_has_none() {
    let server = Server::start(&["max_connections=5", "superuser_reserved_connections=0"]);
    let held = fill(&server).await;
    let waiting = pool(&server);
    let first = tokio::spawn(waiting.acquire());
    eventually("it asks for one", async || waiting.size() > 0).await;

    let monitor = watching(&waiting);
    assert_eq!(readiness(&monitor).await, (503, "database out of connections".into()));
    assert!(!first.is_finished());
    drop(held);
    becomes(&monitor, 200, ANSWERED).await;
    drop(first.await.unwrap().unwrap());
}
