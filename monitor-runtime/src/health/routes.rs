//! The probes as axum routes.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;

use crate::Monitor;

pub(crate) fn routes(monitor: Monitor) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/health/startup", get(startup))
        .route("/health/metrics", get(metrics))
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
