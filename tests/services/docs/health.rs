//! The health page: its monitor is built and asked, its refusals are provoked, its probes lead to routes that are there.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Request, Response};
use monitor_runtime::health::{DiskCheck, Policy};
use monitor_runtime::logging::Format;
use monitor_runtime::{ConnectionLimits, Monitor, MonitorBuilder};
use serde_json::Value;
use sqlx::SqlitePool;
use tower::ServiceExt as _;

use crate::docs::compare::{assert_json, assert_lines, logged};
use crate::docs::page::Page;
use crate::docs::project::takes;

const PAGE: &str = "docs/health.md";

mod shown {
    include!("shown/health_checks.rs");

    pub(super) fn monitor_of(pool: &sqlx::SqlitePool) -> Monitor {
        monitor(pool).unwrap()
    }
}

#[test]
fn health_shows_what_is_really_answered() {
    Page::open(PAGE).check(&[
        ("Readiness answers", "json", readiness),
        ("Readiness answers", "json", line),
        ("Probes for Kubernetes", "yaml", kubernetes),
        ("Health check for ECS", "json", ecs),
        ("Health check of a container without curl", "dockerfile", docker_probe),
        ("Health check of a container without curl", "json", ecs_probe),
    ]);
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// The readiness answer, once every check has a result.
pub(crate) async fn settled(monitor: &Monitor) -> Response<Bytes> {
    for _ in 0..6_000 {
        let answer = monitor.ready();
        if !String::from_utf8_lossy(answer.body()).contains("\"pending\"") {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a check has not been read");
}

/// Status and body of the page's monitor.
fn ready() -> (u16, String) {
    block_on(async {
        let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
        let answer = settled(&shown::monitor_of(&pool)).await;
        (answer.status().as_u16(), String::from_utf8(answer.into_body().into()).unwrap())
    })
}

fn readiness(shown: &str) {
    let (status, body) = ready();
    assert_eq!(status, 503, "this machine has an /srv/index: {body}");
    assert_json(shown, &body);
}

fn line(shown: &str) {
    let logged = logged(Format::Json, || drop(ready()));
    let lines = logged.split_inclusive('\n');
    let about_index: String = lines.filter(|line| line.contains("\"index\"")).collect();
    assert_lines(shown, &about_index, "", "");
}

fn kubernetes(shown: &str) {
    let paths = shown.lines().filter_map(|line| line.split("path: ").nth(1)?.split(',').next());
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths, ["/health/startup", "/health/live", "/health/ready"]);
    for path in paths {
        assert_answers(path);
    }
}

fn ecs(shown: &str) {
    let definition: Value = serde_json::from_str(shown).unwrap();
    let command = definition["healthCheck"]["command"][1].as_str().unwrap();
    let url = command.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    assert_answers(url.strip_prefix("http://127.0.0.1:3000").unwrap());
}

fn docker_probe(shown: &str) {
    let (_, command) = shown.split_once("CMD ").unwrap();
    assert_probes(&serde_json::from_str(command).unwrap());
}

fn ecs_probe(shown: &str) {
    let definition: Value = serde_json::from_str(shown).unwrap();
    let command = definition["healthCheck"]["command"].as_array().unwrap();
    assert_eq!(command[0], "CMD");
    assert_probes(&command[1..].into());
}

/// Checks that the command is the example's probe of its default address.
fn assert_probes(command: &Value) {
    let Some([program, option, url]) = command.as_array().map(Vec::as_slice) else { panic!("{command}") };
    assert_eq!((program, option), (&"agent_service".into(), &"--probe".into()));
    takes("agent_service", &[option.as_str().unwrap()]);
    assert_answers(url.as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap());
}

/// Checks that a monitor without checks answers 200 there.
pub(crate) fn assert_answers(path: &str) {
    let status = block_on(async {
        let monitor = Monitor::builder().build().unwrap();
        monitor.routes().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
    });
    assert_eq!(status, 200, "{path}");
}

#[test]
fn health_names_the_endpoints_that_there_are() {
    let rows = Page::open(PAGE).table("route");
    // The one of a single check is asked where there are checks.
    for row in rows.iter().filter(|row| !row[0].contains("<name>")) {
        assert_answers(row[0].strip_prefix("GET ").unwrap());
    }
}

#[test]
fn health_shows_the_errors_of_refused_monitors() {
    let disk = || DiskCheck::new("/");
    let builder = Monitor::builder;
    let errors = [
        builder().check(disk()).check(disk()),
        builder().check(disk().named("My Check")),
        builder().check(disk().timeout(Duration::ZERO)),
        builder().check_interval(Duration::ZERO),
        builder().check_with(Policy::critical().interval(Duration::ZERO), disk()),
        builder().check_with(Policy::critical().failure_threshold(0), disk()),
        builder().bearer_token(""),
        builder().bearer_token("two words"),
        builder().shutdown_timeout(Duration::ZERO),
        builder().drain_delay(Duration::from_secs(10)),
        builder().liveness_threshold(Duration::ZERO),
        // Of a range that is for documentation, and so never this machine's.
        builder().admin_address(([192, 0, 2, 1], 9090)),
    ];
    assert_shows("| given | error |", errors);
}

#[test]
fn health_shows_the_errors_of_refused_servers() {
    let (builder, limits) = (Monitor::builder, ConnectionLimits::new());
    let errors = [
        builder().base_path("internal/"),
        builder().shutdown_timeout(Duration::from_millis(24_500)),
        builder().connection_limits(limits.connections(0)),
        builder().connection_limits(limits.idle_timeout(Duration::ZERO)),
    ];
    assert_shows("| of a server | error |", errors);
}

/// Asserts that the table with this head shows the error of `build` for each row.
fn assert_shows<const MONITORS: usize>(head: &str, monitors: [MonitorBuilder; MONITORS]) {
    let errors: Vec<_> =
        monitors.into_iter().map(|builder| builder.build().unwrap_err().to_string()).collect();
    let page = Page::open(PAGE);
    let rows = page.text().lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let shown: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    assert_eq!(shown.len(), errors.len());
    for (row, error) in shown.iter().zip(&errors) {
        assert!(row.contains(&format!(" {error} ")) || row.contains(&format!("`{error}`")), "{row}\n{error}");
    }
}
