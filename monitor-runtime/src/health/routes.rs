//! The probes as axum routes.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
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

/// On a thread where it may block: a scrape waits for one that is under way, and for the user's own collectors.
async fn metrics(State(monitor): State<Monitor>, asked: HeaderMap) -> Response {
    let scraped = tokio::task::spawn_blocking(move || monitor.scrape(&asked)).await;
    match scraped {
        Ok(response) => response.map(Body::from),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime shuts down.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
