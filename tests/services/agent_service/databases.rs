//! The service on databases that outlive it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Transaction};
use tempfile::TempDir;

use crate::agent_service::recorded::moved;
use crate::support::service::{Service, command, eventually, notes};

fn on_file_command(notes: &TempDir, path: impl AsRef<Path>) -> Command {
    let mut command = command();
    command.arg("--docs").arg(notes.path()).arg("--db").arg(path.as_ref());
    command
}

fn on_file(notes: &TempDir, path: &str) -> Service {
    Service::start(&mut on_file_command(notes, path))
}

/// Asserts that every service lists the runs of all.
#[track_caller]
fn assert_shared(services: &[Service]) {
    for service in services {
        assert_eq!(service.ask("Green tea?").status, 200);
    }
    let listed: Vec<_> = services.iter().map(Service::runs).collect();
    assert_eq!(listed[0].len(), services.len());
    assert!(listed.iter().all(|runs| *runs == listed[0]));
}

#[test]
fn runs_in_a_file_are_listed_after_a_restart() {
    let notes = notes();
    let path = notes.path().join("odd%20name #1? 100%.db");
    let path = path.to_str().unwrap();
    let service = on_file(&notes, path);
    service.ask("Green tea?");
    let before = service.runs();
    assert!(service.stop().status.success());
    assert!(fs::exists(path).unwrap(), "the name is taken as it is");

    assert_eq!(before.len(), 1);
    assert_eq!(on_file(&notes, path).runs(), before);
}

#[test]
fn a_sqlite_url_names_a_file_too() {
    let notes = notes();
    for (in_url, name) in [("runs.db", "runs.db"), ("the%20runs%2520.db?mode=rwc", "the runs%20.db")] {
        let url = format!("sqlite://{}/{in_url}", notes.path().display());
        let service = Service::start(command().arg("--docs").arg(notes.path()).env("DATABASE_URL", url));
        assert_eq!(service.ask("Green tea?").status, 200);
        assert!(notes.path().join(name).is_file(), "{in_url}");
    }
}

#[test]
fn services_on_one_file_start_together_and_share_their_runs() {
    let notes = notes();
    let path = notes.path().join("runs.db");
    let starting = [(); 8].map(|()| Service::spawn(&mut on_file_command(&notes, &path)));
    assert_shared(&starting.map(Service::up));
}

#[test]
fn a_file_is_whole_by_itself_when_the_service_has_stopped() {
    let notes = notes();
    let path = notes.path().join("runs.db");
    let service = Service::start(&mut on_file_command(&notes, &path));
    service.ask("Green tea?");
    eventually("the database is watched", || (service.get("/health/ready").status == 200).then_some(()));
    assert!(service.stop().status.success());
    let log = fs::metadata(notes.path().join("runs.db-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0, "part of it is still in the write-ahead log");
}

#[test]
fn a_deleted_or_damaged_file_is_not_ready_and_not_made_anew() {
    let notes = notes();
    let path = notes.path().join("runs.db");
    let start = || Service::start(&mut on_file_command(&notes, &path)).ready();
    let is_not_ready = |service: &Service| {
        eventually("it is not ready", || (service.get("/health/ready").status == 503).then_some(()));
        assert!(service.get("/health/ready").body.contains("\"database unreachable\""));
    };
    let service = start();
    fs::remove_file(&path).unwrap();
    is_not_ready(&service);
    // More than the pool has connections open, so that some want another.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| service.ask("Green tea?"));
        }
    });
    is_not_ready(&service);
    assert!(!path.exists(), "an empty database is in its place");
    drop(service);

    for left in ["runs.db-wal", "runs.db-shm"] {
        fs::remove_file(notes.path().join(left)).ok();
    }
    let service = start();
    fs::write(&path, vec![0xa5; 200_000]).unwrap();
    is_not_ready(&service);
}

#[test]
fn services_without_a_file_do_not_see_each_other() {
    let notes = notes();
    let [one, other] = [Service::on(&notes), Service::on(&notes)];
    one.ask("Green tea?");
    assert_eq!((one.runs().len(), other.runs().len()), (1, 0));
}

/// A database of its own on the tests' PostgreSQL, and the way to it.
struct Postgres {
    admin: PgConnection,
    name: String,
    options: PgConnectOptions,
}

impl Postgres {
    async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("MONITOR_TEST_POSTGRES_URL")
            .expect("MONITOR_TEST_POSTGRES_URL is not set; run scripts/test, which starts the databases");
        let options: PgConnectOptions = url.parse().unwrap();
        let mut admin = options.connect().await.unwrap();
        let name = format!("agent_service_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        Self { admin, options: options.database(&name), name }
    }

    fn command(&self, notes: &TempDir) -> Command {
        let mut command = command();
        command.arg("--docs").arg(notes.path()).env("DATABASE_URL", self.options.to_url_lossy().as_str());
        command
    }

    /// Waits until a statement in this database waits for a lock; the tests beside this one have theirs.
    async fn wait_for_a_lock(&mut self) {
        let waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1";
        for _ in 0..6_000 {
            let waiting = sqlx::query(waits).bind(&self.name).fetch_optional(&mut self.admin);
            if waiting.await.unwrap().is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no statement waits for a lock");
    }

    async fn remove(mut self) {
        let remove = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        self.admin.execute(AssertSqlSafe(remove)).await.unwrap();
    }
}

#[tokio::test]
async fn postgres_gives_the_answers_that_sqlite_gives() {
    let notes = notes();
    let postgres = Postgres::create().await;
    let services = [Service::on(&notes), Service::start(&mut postgres.command(&notes))];
    for question in [
        "Which water does green tea want?",
        "Warm cups and boiling water",
        "How many degrees for green tea in Japan?",
        "Who invented the steam engine?",
        "Green\0tea?",
    ] {
        let [sqlite, postgres] = services.each_ref().map(|service| {
            let response = service.ask(question);
            let mut body = response.json();
            body.as_object_mut().unwrap().remove("answer_id");
            (response.status, body)
        });
        assert_eq!(postgres, sqlite, "{question}");
    }
    let statuses = |service: &Service| -> Vec<Value> {
        service.runs().iter().map(|run| run["status"].clone()).collect()
    };
    assert_eq!(statuses(&services[1]), statuses(&services[0]));
    eventually("it is ready", || (services[1].get("/health/ready").status == 200).then_some(()));
    drop(services);
    postgres.remove().await;
}

#[tokio::test]
async fn services_on_one_postgres_start_together_and_share_their_runs() {
    let notes = notes();
    let postgres = Postgres::create().await;
    let starting = [(); 4].map(|()| Service::spawn(&mut postgres.command(&notes)));
    let services = starting.map(Service::up);
    assert_shared(&services);
    drop(services);
    postgres.remove().await;
}

/// Keeps every search from its end, for as long as it is held.
async fn lock_passages(holder: &mut PgConnection) -> Transaction<'_, sqlx::Postgres> {
    let mut lock = holder.begin().await.unwrap();
    lock.execute("LOCK TABLE passages IN ACCESS EXCLUSIVE MODE").await.unwrap();
    lock
}

/// The agents, skills and queries that were cancelled.
fn cancelled(service: &Service) -> Vec<String> {
    let families = ["agent_executions_total", "skill_executions_total", "db_queries_total"];
    let recorded = moved(&service.metrics(), &families);
    recorded.into_iter().filter(|series| series.contains("cancelled")).collect()
}

#[tokio::test]
async fn a_run_past_its_time_limit_is_504_and_stored_as_timed_out() {
    let notes = notes();
    let postgres = Postgres::create().await;
    let service = Service::start(postgres.command(&notes).args(["--time-limit", "300"]));
    let mut holder = postgres.options.connect().await.unwrap();
    let lock = lock_passages(&mut holder).await;

    for (timeout, limit) in [("", 300), (r#", "timeout_ms": 20"#, 20), (r#", "timeout_ms": 60000"#, 300)] {
        let response = service.post(&format!(r#"{{"question": "Green tea?"{timeout}}}"#));
        let error = serde_json::json!({ "error": format!("no answer within {limit}ms") });
        assert_eq!((response.status, response.json()), (504, error));
    }
    lock.rollback().await.unwrap();

    let runs = service.runs();
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| run["status"] == "timed_out" && run["rounds"] == 1), "{runs:#?}");
    assert_eq!(
        cancelled(&service),
        [
            "agent_executions_total researcher cancelled = 3",
            "skill_executions_total search_notes cancelled = 3",
            "db_queries_total select search_passages cancelled = 3",
        ]
    );
    assert_eq!(moved(&service.metrics(), &["active_agents", "active_skills"]), [""; 0]);
    // Within a limit that a busy machine may miss.
    eventually("the next one is answered", || (service.ask("Green tea?").status == 200).then_some(()));
    drop(service);
    postgres.remove().await;
}

#[tokio::test]
async fn the_run_of_a_client_that_left_is_stored_as_abandoned() {
    let notes = notes();
    let mut postgres = Postgres::create().await;
    let service = Service::start(&mut postgres.command(&notes));

    // No search gets past this lock, so the run is in the middle of one when its client leaves.
    let mut holder = postgres.options.connect().await.unwrap();
    let lock = lock_passages(&mut holder).await;
    let client = service.client().send_only("POST", "/ask", &[], r#"{"question": "Green tea?"}"#);
    postgres.wait_for_a_lock().await;
    assert_eq!(
        moved(&service.metrics(), &["active_agents", "active_skills", "http_requests_in_flight"]),
        ["active_agents researcher = 1", "active_skills search_notes = 1", "http_requests_in_flight = 1"]
    );
    drop(client);

    let run = eventually("the run is stored", || service.runs().pop());
    lock.rollback().await.unwrap();
    assert_eq!((&run["status"], &run["rounds"]), (&Value::from("abandoned"), &Value::from(1)));
    assert_eq!(
        cancelled(&service),
        [
            "agent_executions_total researcher cancelled = 1",
            "skill_executions_total search_notes cancelled = 1",
            "db_queries_total select search_passages cancelled = 1",
        ]
    );
    eventually("the request is counted", || {
        let requests = moved(&service.metrics(), &["http_requests_total"]);
        requests.contains(&"http_requests_total POST /ask 499 = 1".to_owned()).then_some(())
    });
    drop(service);
    postgres.remove().await;
}

#[tokio::test]
async fn a_database_that_goes_away_is_an_error_in_every_place() {
    let notes = notes();
    let postgres = Postgres::create().await;
    let service = Service::start(&mut postgres.command(&notes)).ready();
    postgres.remove().await;

    let response = service.ask("Green tea?");
    assert_eq!(response.status, 500, "{}", response.body);
    assert!(!response.body.contains("database"), "no internals: {}", response.body);
    let families =
        ["agent_executions_total", "skill_executions_total", "db_queries_total", "http_requests_total"];
    assert_eq!(
        moved(&service.metrics(), &families),
        [
            "agent_executions_total researcher error = 1",
            "skill_executions_total search_notes error = 1",
            "db_queries_total insert replace_passages success = 1",
            "db_queries_total insert save_run error = 1",
            "db_queries_total select search_passages error = 1",
            "http_requests_total POST /ask 500 = 1",
        ]
    );
    let failures = eventually("both failures are logged", || {
        let log = service.log().into_iter();
        let failures: Vec<_> = log.filter(|line| line["logger"] == "monitor_runtime::call").collect();
        (failures.len() >= 2).then_some(failures)
    });
    let queries: Vec<_> = failures.iter().map(|line| line["query"].as_str().unwrap()).collect();
    assert_eq!(queries, ["search_passages", "save_run"], "each error once, where it arose: {failures:#?}");

    eventually("it is not ready", || (service.get("/health/ready").status == 503).then_some(()));
    assert_eq!(service.get("/health/live").status, 200);
    assert!(service.stop().status.success());
}
