//! The access line of a request.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use futures_util::{FutureExt as _, stream};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use monitor_runtime::Monitor;
use monitor_runtime::http::{AccessLog, HttpLayer};
use monitor_runtime::testing::capture_logs_async;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::http_layer::recorded::Recorded;

/// The access lines of `code`.
async fn access_lines(code: impl Future<Output = ()>) -> Vec<Value> {
    let _turn = Recorded::start().await;
    let lines = capture_logs_async(code).await;
    lines.into_iter().filter(|line| line["logger"] == "monitor_runtime::access").collect()
}

fn app(layer: HttpLayer) -> Router {
    let chunks = || async {
        let chunks = ["one", "three"].map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes())));
        Body::from_stream(stream::iter(chunks))
    };
    Router::new()
        .route("/notes/{id}", get(|| async { "tea" }))
        .route("/chunks", get(chunks))
        .route("/large", get(|| async { vec![0_u8; 100_000] }))
        .route("/refuse", post(|| async { StatusCode::IM_A_TEAPOT }))
        .route("/wait", get(std::future::pending::<()>))
        .route("/health/live", get(|| async {}))
        .layer(layer)
}

fn request(method: &str, path: &str) -> Request<Body> {
    let address = SocketAddr::from(([203, 0, 113, 7], 4711));
    Request::builder()
        .method(method)
        .uri(path)
        .header("x-request-id", "r-1")
        .extension(ConnectInfo(address))
        .body(Body::empty())
        .unwrap()
}

async fn send(app: &Router, method: &str, path: &str) {
    let response = app.clone().oneshot(request(method, path)).await.unwrap();
    response.into_body().collect().await.unwrap();
}

/// The values of a line's fields of these names.
fn said(line: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| line[name].clone()).collect()
}

#[tokio::test]
async fn each_request_has_one_line_as_it_ends() {
    let app = app(HttpLayer::new().access_log(AccessLog::new()));
    let lines = access_lines(async {
        send(&app, "GET", "/notes/17").await;
        send(&app, "GET", "/chunks").await;
        send(&app, "GET", "/large").await;
        send(&app, "POST", "/refuse").await;
        send(&app, "GET", "/nothing").await;
        drop(Box::pin(app.clone().oneshot(request("GET", "/wait"))).now_or_never());
        send(&app, "GET", "/health/live").await;
    })
    .await;

    let shown: Vec<_> =
        lines.iter().map(|line| said(line, &["method", "endpoint", "status", "bytes"])).collect();
    let expected = [
        ("GET", "/notes/{id}", 200, 3),
        ("GET", "/chunks", 200, 8),
        ("GET", "/large", 200, 100_000),
        ("POST", "/refuse", 418, 0),
        ("GET", "unmatched", 404, 0),
        ("GET", "/wait", 499, 0),
    ];
    let expected = expected.map(|(method, endpoint, status, bytes)| {
        vec![Value::from(method), endpoint.into(), status.into(), bytes.into()]
    });
    assert_eq!(shown, expected, "and none for the probe");
    for line in &lines {
        assert_eq!(said(line, &["level", "event", "request_id"]), ["info", "request ended", "r-1"]);
        assert!(line["duration_ms"].as_f64().is_some_and(|duration| duration >= 0.0), "{line}");
        assert_eq!(line.get("client_address"), None, "only if it is asked for");
    }
}

#[tokio::test]
async fn without_being_asked_for_no_line_is_written() {
    let app = app(HttpLayer::new());
    assert_eq!(access_lines(send(&app, "GET", "/notes/17")).await, [] as [Value; 0]);
}

#[tokio::test]
async fn the_clients_address_is_shown_if_it_is_asked_for_and_known() {
    let app = app(HttpLayer::new().access_log(AccessLog::new().client_address()));
    let lines = access_lines(async {
        send(&app, "GET", "/notes/17").await;
        let mut unknown = request("GET", "/notes/17");
        unknown.extensions_mut().clear();
        app.clone().oneshot(unknown).await.unwrap().into_body().collect().await.unwrap();
    })
    .await;
    let shown: Vec<_> = lines.iter().map(|line| line["client_address"].clone()).collect();
    assert_eq!(shown, [Value::from("203.0.113.7:4711"), Value::Null]);
}

#[tokio::test]
async fn a_metrics_only_layer_writes_the_labels_itself() {
    let app = app(HttpLayer::metrics_only().access_log(AccessLog::new()));
    let lines = access_lines(send(&app, "GET", "/notes/17")).await;
    assert_eq!(
        said(&lines[0], &["method", "endpoint", "status"]),
        [Value::from("GET"), "/notes/{id}".into(), 200.into()]
    );
    assert_eq!(lines[0].get("request_id"), None);
}

#[tokio::test]
async fn a_monitor_gives_its_layer_the_setting() {
    let monitor = Monitor::builder().access_log(AccessLog::new()).build().unwrap();
    let app = app(monitor.layer());
    let lines = access_lines(send(&app, "GET", "/notes/17")).await;
    assert_eq!(lines.len(), 1);
    let app = self::app(Monitor::builder().build().unwrap().layer());
    assert_eq!(access_lines(send(&app, "GET", "/notes/17")).await.len(), 0);
}
