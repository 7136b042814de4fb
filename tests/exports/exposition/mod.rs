//! The forms in which a scrape can be had, and what a real Prometheus reads from them.

mod exemplars;
mod lint;
mod negotiation;
mod open_metrics;
mod prometheus;
mod readers;
mod registries;
mod unreadable;

use std::io::Read as _;

use axum::Router;
use axum::body::{Body, Bytes};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt as _;
use monitor_runtime::Monitor;
use tower::ServiceExt as _;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// Asks the monitor's own route.
async fn ask(monitor: &Monitor, method: Method, headers: &[(header::HeaderName, &str)]) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri("/health/metrics");
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    answer(&monitor.routes(), request.body(Body::empty()).unwrap()).await
}

async fn answer(app: &Router, request: Request<Body>) -> Response<Bytes> {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    Response::from_parts(head, body.collect().await.unwrap().to_bytes())
}

/// The contents of a scrape in that format.
fn scrape(monitor: &Monitor, accept: &'static str) -> Bytes {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    let response = monitor.scrape(&headers);
    assert_eq!(response.headers()[header::CONTENT_TYPE], accept);
    response.into_body()
}

fn text(body: &[u8]) -> &str {
    std::str::from_utf8(body).unwrap()
}

fn unzip(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain).unwrap();
    plain
}
