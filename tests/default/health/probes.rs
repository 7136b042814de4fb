//! The answers of each probe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use http::{Method, Request, Response, header};
use monitor_runtime::health::{DatabaseCheck, DiskCheck};
use monitor_runtime::{Monitor, metrics};
use serde_json::Value;
use sqlx::sqlite::SqlitePool;

use crate::health::{failing, fast, get, json, passing, ready, request, settle, switched};
use crate::support::tcp::eventually;

const MORE_THAN_ANY_DISK: u64 = 1 << 60;

#[tokio::test]
async fn live_answers_200_byte_for_byte() {
    let monitor = Monitor::builder().check(failing("broken")).build().unwrap();
    let response = get(&monitor, "/health/live").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.body(), r#"{"status":"alive"}"#);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
}

#[tokio::test]
async fn ready_answers_200_when_every_check_passes() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    let disk = DiskCheck::new("/").min_free_bytes(0);
    let monitor = Monitor::builder().check(disk).check(DatabaseCheck::new(pool)).build().unwrap();
    settle(&monitor).await;
    let response = get(&monitor, "/health/ready").await;
    let body = json(&response);
    assert_eq!(response.status(), 200, "{body}");
    assert_eq!(body["status"], "ready");
    assert_eq!(body["checks"]["database"]["healthy"], true);
    assert_eq!(body["checks"]["database"]["message"], "database answered");
    assert!(body["checks"]["database"]["latency_ms"].as_f64().unwrap() > 0.0);
    assert!(body["checks"]["disk"]["message"].as_str().unwrap().ends_with(" GB free"));
}

#[tokio::test]
async fn a_ready_body_has_its_fields_in_order_and_its_checks_by_name() {
    let monitor =
        Monitor::builder().check(passing("b")).check(passing("c")).check(passing("a")).build().unwrap();
    settle(&monitor).await;
    let response = monitor.ready();
    let body = std::str::from_utf8(response.body()).unwrap();
    let at = |text: &str| body.find(text).unwrap_or_else(|| panic!("no {text} in {body}"));
    assert!(body.starts_with(r#"{"status":"ready","timestamp":"20"#), "{body}");
    let order = [
        at("\"timestamp\""),
        at("\"checks\":{\"a\":{\"healthy\":true,\"message\":\"a passed\",\"latency_ms\":"),
    ];
    assert!(order.is_sorted() && at("\"a\":{") < at("\"b\":{") && at("\"b\":{") < at("\"c\":{"), "{body}");
}

#[tokio::test]
async fn the_timestamp_is_utc_to_the_microsecond() {
    let monitor = Monitor::builder().build().unwrap();
    let (_, body) = ready(&monitor).await;
    let shape: String = body["timestamp"]
        .as_str()
        .unwrap()
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z");
}

#[tokio::test]
async fn a_monitor_without_checks_is_ready_and_started() {
    let monitor = Monitor::builder().build().unwrap();
    let (status, body) = ready(&monitor).await;
    assert_eq!((status.as_u16(), &body["checks"]), (200, &serde_json::json!({})));
    assert_eq!(monitor.startup().status(), 200);
}

#[tokio::test]
async fn ready_answers_503_when_the_database_is_down() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    pool.close().await;
    let monitor = Monitor::builder().check(DatabaseCheck::new(pool)).check(passing("cache")).build().unwrap();
    settle(&monitor).await;
    let response = get(&monitor, "/health/ready").await;
    let body = json(&response);
    assert_eq!(response.status(), 503);
    assert_eq!(body["status"], "not_ready");
    assert_eq!(body["checks"]["database"]["healthy"], false);
    assert_eq!(body["checks"]["database"]["message"], "database unreachable");
    assert_eq!(body["checks"]["cache"]["healthy"], true);
}

#[tokio::test]
async fn ready_answers_503_when_the_disk_is_short() {
    let disk = DiskCheck::new("/").min_free_bytes(MORE_THAN_ANY_DISK);
    let monitor = Monitor::builder().check(disk).build().unwrap();
    settle(&monitor).await;
    let response = get(&monitor, "/health/ready").await;
    assert_eq!(response.status(), 503);
    let message = json(&response)["checks"]["disk"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("low disk space: "), "{message}");
    assert!(message.ends_with(" GB free, 1152921504.61 GB needed"), "{message}");
}

#[tokio::test]
async fn ready_names_both_when_database_and_disk_fail() {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    pool.close().await;
    let disk = DiskCheck::new(".").min_free_bytes(MORE_THAN_ANY_DISK);
    let monitor = Monitor::builder().check(DatabaseCheck::new(pool)).check(disk).build().unwrap();
    let (status, body) = ready(&monitor).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["database"]["healthy"], false);
    assert_eq!(body["checks"]["disk"]["healthy"], false);
}

#[tokio::test]
async fn a_disk_path_that_is_not_there_is_unhealthy_and_not_shown() {
    let monitor = Monitor::builder().check(DiskCheck::new("/no/such/secret")).build().unwrap();
    let (status, body) = ready(&monitor).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["disk"]["message"], "disk path not found");
}

#[tokio::test]
async fn startup_is_503_until_every_check_has_passed_once() {
    let (one, two) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let monitor = fast().check(switched("one", &one)).check(switched("two", &two)).build().unwrap();
    settle(&monitor).await;
    let response = get(&monitor, "/health/startup").await;
    let body = json(&response);
    assert_eq!((response.status().as_u16(), &body["status"]), (503, &Value::from("starting")));
    assert_eq!(body["checks"]["two"]["message"], "off");

    one.store(false, Ordering::SeqCst);
    eventually("one fails", async || ready(&monitor).await.1["checks"]["one"]["healthy"] == false).await;
    two.store(true, Ordering::SeqCst);
    eventually("started", async || monitor.startup().status() == 200).await;

    two.store(false, Ordering::SeqCst);
    eventually("two fails", async || ready(&monitor).await.1["checks"]["two"]["healthy"] == false).await;
    let response = get(&monitor, "/health/startup").await;
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &br#"{"status":"started"}"#[..]));
}

#[tokio::test]
async fn metrics_answers_the_text_format() {
    let monitor = Monitor::builder().service("text-format", "1.2.3").build().unwrap();
    let response = get(&monitor, "/health/metrics").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let text = std::str::from_utf8(response.body()).unwrap();
    assert!(text.contains("build_info{service=\"text-format\",version=\"1.2.3\"} 1\n"), "{text}");
}

#[tokio::test]
async fn no_answer_may_be_kept_and_every_route_takes_head() {
    let monitor = Monitor::builder().check(passing("a")).build().unwrap();
    settle(&monitor).await;
    for path in ["/health/live", "/health/ready", "/health/startup", "/health/metrics"] {
        let response = get(&monitor, path).await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
        let head = request(&monitor, Method::HEAD, path).await;
        assert_eq!((head.status().as_u16(), head.body().len()), (200, 0), "{path}");
        assert_eq!(request(&monitor, Method::POST, path).await.status(), 405, "{path}");
    }
}

#[tokio::test]
async fn without_axum_the_answers_are_the_same() {
    let monitor = Monitor::builder().check(failing("broken")).build().unwrap();
    let (plain, routed) = (monitor.live(), get(&monitor, "/health/live").await);
    assert_eq!(
        (plain.status(), plain.headers(), plain.body()),
        (routed.status(), &without_length(&routed), routed.body())
    );
    assert_eq!(monitor.ready().status(), get(&monitor, "/health/ready").await.status());
    assert_eq!(monitor.startup().status(), get(&monitor, "/health/startup").await.status());
    assert_eq!(monitor.metrics().headers()[header::CONTENT_TYPE], metrics::CONTENT_TYPE);
}

fn without_length(response: &Response<Bytes>) -> http::HeaderMap {
    let mut headers = response.headers().clone();
    headers.remove(header::CONTENT_LENGTH);
    headers
}

#[tokio::test]
async fn other_methods_are_refused_as_by_answer_on_every_route() {
    let monitor = Monitor::builder().check(passing("a")).build().unwrap();
    let paths = ["/health/live", "/health/ready", "/health/ready/a", "/health/startup", "/health/metrics"];
    for path in paths {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO", "get"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let routed = request(&monitor, method.clone(), path).await;
            let plain = Request::builder().method(&method).uri(path).body(()).unwrap();
            let plain = monitor.answer(&plain).unwrap();

            assert_eq!(routed.status(), 405, "{method} {path}");
            assert_eq!(routed.headers()[header::ALLOW], "GET,HEAD", "{method} {path}");
            assert_eq!(routed.headers()[header::CACHE_CONTROL], "no-store", "{method} {path}");
            assert_eq!(routed.headers()[header::CONTENT_TYPE], "application/json", "{method} {path}");
            // hyper leaves out the length of what a `CONNECT` is answered; axum adds it to all.
            assert_eq!(&without_length(&routed), plain.headers(), "{method} {path}");
            assert_eq!(routed.body(), plain.body(), "{method} {path}");
        }
    }
}
