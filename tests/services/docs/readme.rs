//! The README: its example is run, asked and scraped; its answers and lines are compared.

use std::sync::Mutex;

use monitor_runtime::logging::Format;
use sqlx::SqlitePool;

use crate::docs::compare::{assert_excerpt, assert_json, assert_lines, logged};
use crate::docs::health::block_on;
use crate::docs::page::{Page, root};
use crate::docs::project;
use crate::docs::service::Service;

shown_service!(example, "shown/readme_service.rs");

mod health {
    include!("shown/readme_health.rs");

    pub(super) async fn ready(pool: &sqlx::SqlitePool) -> http::Response<axum::body::Bytes> {
        crate::docs::health::settled(&monitor(pool).unwrap()).await
    }
}

mod logs {
    include!("shown/readme_logs.rs");

    pub(super) fn run() {
        plan("learn Rust").unwrap_err();
    }
}

#[test]
fn readme_shows_what_its_example_really_answers_and_logs() {
    Page::open("README.md").check(&[
        ("Add it to a package", "toml", project::features_exist),
        ("Output of `/health/metrics`", "sh", requests),
        ("Output of `/health/metrics`", "text", scrape),
        ("Health", "json", readiness),
        ("Logs", "json", lines),
        ("Two commands", "sh", project::commands_exist),
    ]);
}

/// The answer to the last request.
static SCRAPE: Mutex<String> = Mutex::new(String::new());

/// Starts the example, sends what each `curl` line sends, and expects the answers to be what the example's code says.
fn requests(commands: &str) {
    let service = Service::start(example::SERVES, root());
    let answers = service.curl(commands);
    let [good, bad, metrics] = &*answers else { panic!("three requests are expected: {answers:?}") };
    assert!(good.starts_with("HTTP/1.1 200 ") && good.ends_with("\r\n\r\n1. learn Rust"), "{good}");
    assert!(bad.starts_with("HTTP/1.1 400 "), "{bad}");
    assert!(metrics.starts_with("HTTP/1.1 200 "), "{metrics}");
    SCRAPE.lock().unwrap().clone_from(metrics);
}

fn scrape(shown: &str) {
    assert_excerpt(shown, &SCRAPE.lock().unwrap());
}

fn readiness(shown: &str) {
    let answer = block_on(async {
        let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
        health::ready(&pool).await
    });
    assert_eq!(answer.status(), 503);
    assert_json(shown, std::str::from_utf8(answer.body()).unwrap());
}

fn lines(shown: &str) {
    assert_lines(shown, &logged(Format::Json, logs::run), concat!(module_path!(), "::logs"), "notes");
}
