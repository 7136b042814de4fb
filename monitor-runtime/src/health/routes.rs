//! The probes as axum routes.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use crate::Monitor;

const LIVE: &str = "/health/live";
const READY: &str = "/health/ready";
const STARTUP: &str = "/health/startup";
const METRICS: &str = "/health/metrics";

/// Every route below, for those who have to tell probes from requests.
pub(crate) const PATHS: [&str; 4] = [LIVE, READY, STARTUP, METRICS];

pub(crate) fn routes(monitor: Monitor) -> Router {
    Router::new()
        .route(LIVE, get(live))
        .route(READY, get(ready))
        .route(STARTUP, get(startup))
        .route(METRICS, get(metrics))
        .with_state(monitor)
}

async fn live(State(monitor): State<Monitor>) -> Response {
    monitor.live().map(Body::from)
}

async fn ready(State(monitor): State<Monitor>) -> Response {
    monitor.ready().await.map(Body::from)
}

async fn startup(State(monitor): State<Monitor>) -> Response {
    monitor.startup().await.map(Body::from)
}

async fn metrics(State(monitor): State<Monitor>) -> Response {
    monitor.metrics().map(Body::from)
}
