//! Prometheus' own linter finds no problem in a scrape with every metric.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use monitor_runtime::health::{DatabaseCheck, DiskCheck};
use monitor_runtime::{Monitor, track_agent, track_query, track_skill};
use sqlx::SqlitePool;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

use crate::support::exposition::{Exposition, Kind};
use crate::support::service::{Service, command, eventually, notes};

/// Everything that a label value has to be escaped for.
const AWKWARD: &str = "quote \" backslash \\ newline \n braces {a=\"b\"} ü";

#[track_agent(id = id)]
async fn research(id: &str, pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    summarise();
    count(pool).await
}

#[track_skill]
fn summarise() {}

#[track_query]
async fn count(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT 1").fetch_one(pool).await
}

/// The scrape of a service in which every family has moved; one for all tests, since metrics are the process's.
async fn scrape() -> &'static str {
    static SCRAPE: OnceCell<String> = OnceCell::const_new();
    SCRAPE.get_or_init(scrape_service).await
}

async fn scrape_service() -> String {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let monitor = Monitor::builder()
        .service("promtool", "1.0.0")
        .pool("main", &pool)
        .check(DatabaseCheck::new(pool.clone()))
        .check(DiskCheck::new(".").min_free_bytes(1))
        .build()
        .unwrap();
    research(AWKWARD, &pool).await.unwrap();
    let app = Router::new()
        .route("/ask/{id}", get(async || "answer"))
        .layer(monitor.layer())
        .merge(monitor.routes());
    for (path, status) in [("/ask/1", StatusCode::OK), ("/nowhere", StatusCode::NOT_FOUND)] {
        assert_eq!(answer(&app, path).await.0, status, "{path}");
    }
    let start = Instant::now();
    while answer(&app, "/health/ready").await.0 != StatusCode::OK {
        assert!(start.elapsed() < Duration::from_mins(1), "it is not ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    answer(&app, "/health/metrics").await.1
}

/// Status and whole body.
async fn answer(app: &Router, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn promtool_check_metrics(scrape: &str) -> Output {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool (Debian package `prometheus`) is needed; `scripts/test` installs it");
    // Dropped at once, which ends the input.
    promtool.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    promtool.wait_with_output().unwrap()
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_about_a_scrape() {
    let scrape = scrape().await;
    let said = promtool_check_metrics(scrape);
    let text = [said.stdout, said.stderr].concat();
    assert!(said.status.success() && text.is_empty(), "{}\n{scrape}", String::from_utf8_lossy(&text));
}

#[test]
fn promtool_finds_nothing_to_say_about_the_running_example() {
    let notes = notes();
    let service = Service::start(command().arg("--docs").arg(notes.path()).args(["--traffic", "100"]));
    let scrape = eventually("something is cancelled", || {
        let cancelled = [("agent_id", "researcher"), ("status", "cancelled")];
        let runs = service.metrics().value("agent_executions_total", &cancelled)?;
        (runs > 0.0).then(|| service.get("/health/metrics").body)
    });
    let said = promtool_check_metrics(&scrape);
    let text = [said.stdout, said.stderr].concat();
    assert!(said.status.success() && text.is_empty(), "{}\n{scrape}", String::from_utf8_lossy(&text));
}

#[test]
fn promtool_would_have_said_something() {
    let said = promtool_check_metrics("# TYPE calls counter\ncalls 1\n");
    assert!(!said.status.success() && !said.stderr.is_empty());
}

#[tokio::test]
async fn the_strict_reader_reads_every_line_of_a_scrape() {
    let scrape = scrape().await;
    let read = Exposition::parse(scrape).unwrap_or_else(|violation| panic!("{violation}\n{scrape}"));
    let lines = read.families().iter().map(|family| 2 + family.samples.len()).sum::<usize>();
    assert_eq!(lines, scrape.lines().count());
    let success = [("agent_id", AWKWARD), ("status", "success")];
    assert!(read.value("agent_executions_total", &success).is_some_and(|calls| calls >= 1.0));
}

#[tokio::test]
async fn a_scrape_holds_every_family_of_the_reference_with_its_type() {
    let scrape = scrape().await;
    let read = Exposition::parse(scrape).unwrap();
    let families = [
        ("agent_executions_total", Kind::Counter),
        ("agent_execution_duration_seconds", Kind::Histogram),
        ("active_agents", Kind::Gauge),
        ("skill_executions_total", Kind::Counter),
        ("skill_execution_duration_seconds", Kind::Histogram),
        ("active_skills", Kind::Gauge),
        ("db_queries_total", Kind::Counter),
        ("db_query_duration_seconds", Kind::Histogram),
        ("db_connections_active", Kind::Gauge),
        ("db_connections_idle", Kind::Gauge),
        ("db_connections_max", Kind::Gauge),
        ("http_requests_total", Kind::Counter),
        ("http_request_duration_seconds", Kind::Histogram),
        ("http_requests_in_flight", Kind::Gauge),
        ("health_check_status", Kind::Gauge),
        ("health_check_duration_seconds", Kind::Gauge),
        ("health_check_last_success_timestamp_seconds", Kind::Gauge),
        ("log_events_total", Kind::Counter),
        ("log_events_written_total", Kind::Counter),
        ("log_events_dropped_total", Kind::Counter),
        ("log_events_suppressed_total", Kind::Counter),
        ("build_info", Kind::Gauge),
        ("process_cpu_seconds_total", Kind::Counter),
        ("process_resident_memory_bytes", Kind::Gauge),
    ];
    for (name, kind) in families {
        let family = read.family(name).unwrap_or_else(|| panic!("{name} is missing:\n{scrape}"));
        assert_eq!(family.kind, Some(kind), "{name}");
        assert!(family.help.is_some(), "{name} has no help");
        assert!(!family.samples.is_empty(), "{name} has no samples");
    }
}
