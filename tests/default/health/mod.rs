//! Monitors, their checks and the probes' answers.

mod blocking;
mod database_fn;
mod deadlines;
mod failures;
mod full_disk;
mod lifecycle;
#[cfg(target_os = "linux")]
mod mounts;
mod policies;
mod probe_load;
mod probes;
mod questions;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use monitor_runtime::health::{Check, CheckError, check_fn};
use monitor_runtime::{Monitor, MonitorBuilder, metrics};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::support::exposition::Exposition;
use crate::support::tcp::eventually;

fn passing(name: &'static str) -> impl Check {
    check_fn(name, async || Ok::<_, CheckError>(()))
}

fn failing(name: &'static str) -> impl Check {
    check_fn(name, move || async move { Err::<(), _>(CheckError::new(format!("{name} is broken"))) })
}

/// A check that passes while the switch is on.
fn switched(name: &'static str, on: &Arc<AtomicBool>) -> impl Check + use<> {
    let on = Arc::clone(on);
    check_fn(name, move || {
        let on = on.load(Ordering::SeqCst);
        async move { if on { Ok("on") } else { Err(CheckError::new("off")) } }
    })
}

fn fast() -> MonitorBuilder {
    Monitor::builder().check_interval(Duration::from_millis(10))
}

fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// Waits until every check has been read once: a probe does not.
async fn settle(monitor: &Monitor) {
    let is_read = |check: &Value| !check["age_ms"].is_null();
    eventually("every check has been read", async || {
        json(&monitor.ready())["checks"].as_object().unwrap().values().all(is_read)
    })
    .await;
}

/// The readiness answer, once every check has a result.
async fn ready(monitor: &Monitor) -> (StatusCode, Value) {
    settle(monitor).await;
    let response = monitor.ready();
    (response.status(), json(&response))
}

async fn get(monitor: &Monitor, path: &str) -> Response<Bytes> {
    request(monitor, Method::GET, path).await
}

async fn request(monitor: &Monitor, method: Method, path: &str) -> Response<Bytes> {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let (parts, body) = monitor.routes().oneshot(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

/// The value of a sample in the process's exposition, whose family is a counter or a gauge.
fn sample(series: &str) -> Option<f64> {
    let family = series.split('{').next().unwrap();
    Exposition::read_family(&metrics::render(), family).at(series)
}
