//! Readiness with servers that refuse new sessions, while open sessions continue.

use std::cell::Cell;
use std::time::Duration;

use monitor_runtime::Monitor;
use monitor_runtime::health::{Check as _, DatabaseCheck, Report};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, MySql, PgConnection, PgPool, Postgres, QueryBuilder};

use crate::support::closed_port::ClosedPort;
use crate::support::postgres::Server;
use crate::support::tcp::{eventually, silent_server};
use crate::{
    ConnectOptions as _, becomes, lazy, looking_often, mysql, readiness, watching, watching_impatiently,
};

const ANSWERED: &str = "database answered";
const UNREACHABLE: &str = "database unreachable";
const OUT_OF_CONNECTIONS: &str = "database out of connections";
const NO_NEW: &str = "database takes no new connections";

/// A server with a role and a database of the application's, the way there, and a session of the administrator's.
async fn with_application(server: &Server) -> (PgConnectOptions, PgConnection) {
    let mut admin = server.options().connect().await.unwrap();
    admin.execute("CREATE ROLE app LOGIN PASSWORD 'old'").await.unwrap();
    admin.execute("CREATE DATABASE data OWNER app").await.unwrap();
    (server.options().username("app").password("old").database("data"), admin)
}

async fn run<C: Connection>(connection: &mut C, statement: &str)
where
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    // Each version of sqlx takes a statement made at run time as another type.
    let statement = QueryBuilder::<C::Database>::new(statement);
    connection.execute(sqlx::raw_sql(statement.sql())).await.unwrap();
}

/// Ends the sessions of the application.
async fn cut(admin: &mut PgConnection) {
    run(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'").await;
}

#[tokio::test]
async fn an_empty_pool_is_unhealthy_if_postgres_refuses_sessions() {
    let server = Server::start(&[]);
    let (options, mut admin) = with_application(&server).await;
    let monitor = watching(&lazy::<Postgres>(options));
    for (refuse, allow) in [
        ("ALTER ROLE app PASSWORD 'new'", "ALTER ROLE app PASSWORD 'old'"),
        ("ALTER ROLE app NOLOGIN", "ALTER ROLE app LOGIN"),
        ("ALTER DATABASE data ALLOW_CONNECTIONS false", "ALTER DATABASE data ALLOW_CONNECTIONS true"),
    ] {
        becomes(&monitor, 200, ANSWERED).await;
        run(&mut admin, refuse).await;
        becomes(&monitor, 503, UNREACHABLE).await;
        run(&mut admin, allow).await;
    }
    becomes(&monitor, 200, ANSWERED).await;
    server.refuse_in_hba(&mut admin, "app").await;
    becomes(&monitor, 503, UNREACHABLE).await;
}

#[tokio::test]
async fn a_pool_that_works_is_degraded_if_postgres_refuses_new_ones() {
    let server = Server::start(&[]);
    let (options, mut admin) = with_application(&server).await;
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    run(&mut admin, "ALTER ROLE app NOLOGIN").await;
    let check = DatabaseCheck::new(pool.clone());
    assert_eq!(check.run().await.unwrap(), Report::warn(NO_NEW));
    eventually("it is idle", async || pool.num_idle() > 0).await;
    let leased = pool.try_acquire().unwrap();
    assert_eq!(check.run().await.unwrap(), Report::warn(NO_NEW), "the leased one works");
    drop(leased);
    assert_eq!(readiness(&watching(&pool)).await, (200, NO_NEW.into()));

    cut(&mut admin).await;
    let monitor = watching(&pool);
    becomes(&monitor, 503, UNREACHABLE).await;
    run(&mut admin, "ALTER ROLE app LOGIN").await;
    becomes(&monitor, 200, ANSWERED).await;
}

#[tokio::test]
async fn a_pool_whose_sessions_ran_out_is_down_after_a_new_password() {
    let server = Server::start(&[]);
    let (options, mut admin) = with_application(&server).await;
    let short_lived =
        PgPoolOptions::new().idle_timeout(Duration::from_secs(2)).max_lifetime(Duration::from_secs(3));
    let pool = short_lived.acquire_timeout(Duration::from_secs(2)).connect_with(options).await.unwrap();
    let check = DatabaseCheck::new(pool.clone());
    let monitor = Monitor::builder().check_interval(Duration::from_millis(500)).check(check).build().unwrap();
    becomes(&monitor, 200, ANSWERED).await;
    run(&mut admin, "ALTER ROLE app PASSWORD 'new'").await;
    becomes(&monitor, 503, UNREACHABLE).await;
    assert!(pool.acquire().await.is_err());
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_downs_pools_that_need_it() {
    let server = Server::start(&[]);
    let elsewhere = ClosedPort::take();
    let nowhere = server.options().port(elsewhere.address.port());
    let needing = lazy::<Postgres>(server.options());
    let monitor = watching(&needing);
    becomes(&monitor, 200, ANSWERED).await;
    needing.set_connect_options(nowhere.clone());
    becomes(&monitor, 503, UNREACHABLE).await;

    let working = PgPoolOptions::new().connect_with(server.options()).await.unwrap();
    working.set_connect_options(nowhere);
    assert_eq!(readiness(&watching(&working)).await, (200, NO_NEW.into()));
}

#[tokio::test]
async fn silence_about_new_sessions_times_out_pools_that_need_one() {
    let server = Server::start(&[]);
    let silent = silent_server().await;
    let options = server.options().port(silent.port());
    becomes(&watching_impatiently(&lazy::<Postgres>(options.clone())), 503, "database timed out after 500ms")
        .await;
    let working = PgPoolOptions::new().connect_with(server.options()).await.unwrap();
    working.set_connect_options(options);
    assert_eq!(readiness(&watching_impatiently(&working)).await, (200, NO_NEW.into()));
}

/// A pool of the application's that asks in vain for no longer than this.
fn impatient_pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(3)
        .acquire_timeout(Duration::from_secs(20))
        .connect_lazy_with(options)
}

#[tokio::test]
async fn the_only_connection_that_postgres_grants_is_the_pools() {
    let server = Server::start(&[]);
    let (options, mut admin) = with_application(&server).await;
    let pool = impatient_pool(options);
    let monitor = watching(&pool);
    becomes(&monitor, 200, ANSWERED).await;
    for limited in ["ALTER ROLE app CONNECTION LIMIT 1", "ALTER DATABASE data CONNECTION LIMIT 1"] {
        run(&mut admin, limited).await;
        cut(&mut admin).await;
        let leased = pool.acquire().await.expect("the check leaves it to the pool");
        drop(leased);
        becomes(&monitor, 200, OUT_OF_CONNECTIONS).await;
        run(&mut admin, &limited.replace(" 1", " -1")).await;
        becomes(&monitor, 200, ANSWERED).await;
    }
}

#[tokio::test]
async fn a_pool_that_lost_its_connections_to_others_is_down() {
    let server = Server::start(&["max_connections=8", "superuser_reserved_connections=1"]);
    let (options, mut admin) = with_application(&server).await;
    run(&mut admin, "CREATE ROLE other LOGIN PASSWORD 'other'").await;
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    let monitor = watching(&pool);
    becomes(&monitor, 200, ANSWERED).await;

    // Others take each connection that there is, also one that becomes free later.
    let theirs = server.options().username("other").password("other");
    let taking = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            match theirs.connect().await {
                Ok(connection) => held.push(connection),
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    });
    let asking = tokio::spawn({
        let pool = pool.clone();
        async move {
            loop {
                let _ = pool.acquire().await;
            }
        }
    });
    let admin = tokio::sync::Mutex::new(admin);
    eventually("the pool has none, and readiness says so", async || {
        cut(&mut *admin.lock().await).await;
        readiness(&monitor).await == (503, OUT_OF_CONNECTIONS.into())
    })
    .await;
    taking.abort();
    becomes(&monitor, 200, ANSWERED).await;
    asking.abort();
}

#[tokio::test]
async fn a_full_pool_and_a_check_open_few_sessions() {
    let server = Server::start(&["log_connections=on"]);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(server.options()).await.unwrap();
    let monitor = watching(&pool);
    becomes(&monitor, 200, ANSWERED).await;
    let before = server.connections();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(server.connections() - before <= 1, "150 runs opened {} sessions", server.connections() - before);
}

/// A user of MariaDB's with a name of its own, and a session of the administrator's.
async fn with_user(name: &str) -> (MySqlConnectOptions, sqlx::MySqlConnection) {
    let mut admin = mysql().connect().await.unwrap();
    run(&mut admin, &format!("DROP USER IF EXISTS {name}")).await;
    run(&mut admin, &format!("CREATE USER {name} IDENTIFIED BY 'old'")).await;
    (mysql().username(name).password("old").database(""), admin)
}

#[tokio::test]
async fn a_pool_without_a_session_is_down_if_mariadb_refuses_new_ones() {
    let (options, mut admin) = with_user("monitor_refused").await;
    let monitor = watching(&lazy::<MySql>(options));
    for (refuse, allow) in [
        ("ALTER USER monitor_refused IDENTIFIED BY 'new'", "ALTER USER monitor_refused IDENTIFIED BY 'old'"),
        ("ALTER USER monitor_refused ACCOUNT LOCK", "ALTER USER monitor_refused ACCOUNT UNLOCK"),
    ] {
        becomes(&monitor, 200, ANSWERED).await;
        run(&mut admin, refuse).await;
        becomes(&monitor, 503, UNREACHABLE).await;
        run(&mut admin, allow).await;
    }
    becomes(&monitor, 200, ANSWERED).await;
}

#[tokio::test]
async fn the_only_connection_that_mariadb_grants_is_the_pools() {
    let (options, mut admin) = with_user("monitor_limited").await;
    run(&mut admin, "ALTER USER monitor_limited WITH MAX_USER_CONNECTIONS 1").await;
    let pool = MySqlPoolOptions::new().max_connections(3).connect_lazy_with(options.clone());
    let monitor = looking_often(DatabaseCheck::new(pool.clone()));
    becomes(&monitor, 200, ANSWERED).await;
    // The moment in which the check asks may be the same.
    eventually("the check leaves it to the pool", async || pool.acquire().await.is_ok()).await;
    becomes(&monitor, 200, OUT_OF_CONNECTIONS).await;
    pool.close().await;
    drop(monitor);

    let without = lazy::<MySql>(options.clone());
    // MariaDB counts a session until its thread has noticed that the client hung up.
    let held = Cell::new(None);
    eventually("the only connection is free again", async || {
        let connection = options.connect().await.ok();
        let is_free = connection.is_some();
        held.set(connection);
        is_free
    })
    .await;
    becomes(&watching(&without), 503, OUT_OF_CONNECTIONS).await;
    held.take().unwrap().close().await.unwrap();
}
