//! The probes as axum routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::map_request;
use axum::response::Response;
use axum::routing::{self, MethodRouter};

use super::question::{LIVE, METRICS, Probe, READY, STARTUP};
use super::{Heartbeat, answer as answers, held};
use crate::Monitor;

const CHECK: &str = "/health/ready/{name}";

/// Every route below, for those who have to tell probes from requests.
pub(crate) const PATHS: [&str; 5] = [LIVE, READY, CHECK, STARTUP, METRICS];

/// Every route, for the runtime that the application is on.
pub(crate) fn routes(monitor: Monitor) -> Router {
    let routes =
        Router::new().route(LIVE, get(live)).with_state(monitor.clone()).merge(all_but_live(monitor));
    routes.route_layer(map_request(left_out))
}

/// A layer that could not know the route, as where it is mounted by `nest_service`, learns here that it is a probe.
async fn left_out(request: Request) -> Request {
    crate::http::exclude_from_metrics(request.extensions());
    request
}

/// Every route, for a runtime that watches the application's.
pub(crate) fn admin_routes(monitor: Monitor, heartbeat: Arc<Heartbeat>) -> Router {
    let routes = Router::new().route(LIVE, get(watched)).with_state(heartbeat).merge(all_but_live(monitor));
    routes.fallback(async || answers::no_such_route().map(Body::from))
}

/// Answers `GET` and `HEAD`, and every other method as `Monitor::answer` does.
fn get<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    routing::get(handler).fallback(async || answers::method_not_allowed().map(Body::from))
}

fn all_but_live(monitor: Monitor) -> Router {
    Router::new()
        .route(READY, get(ready))
        .route(CHECK, get(check))
        .route(STARTUP, get(startup))
        .route(METRICS, get(metrics))
        .with_state(monitor)
}

async fn live(State(monitor): State<Monitor>) -> Response {
    monitor.live().map(Body::from)
}

async fn watched(State(heartbeat): State<Arc<Heartbeat>>) -> Response {
    let answer = if heartbeat.stalled_for().is_some() { answers::stalled() } else { answers::alive() };
    answer.map(Body::from)
}

async fn ready(State(monitor): State<Monitor>, request: Request) -> Response {
    answer(&monitor, Probe::Ready, &request)
}

async fn check(State(monitor): State<Monitor>, request: Request) -> Response {
    // A name needs no decoding, and below a prefix that captures it is the last segment all the same.
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    answer(&monitor, Probe::Check(name), &request)
}

async fn startup(State(monitor): State<Monitor>, request: Request) -> Response {
    answer(&monitor, Probe::Startup, &request)
}

/// On a thread where it may block: a scrape waits for one that is under way, and for the user's own collectors.
async fn metrics(State(monitor): State<Monitor>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let scrape = move || monitor.answer_probe(Probe::Metrics, None, &parts.headers);
    match tokio::task::spawn_blocking(scrape).await {
        Ok(response) => response.map(held::body),
        // Collectors that panic are left out, so this is a fault of ours: an answer tells more than a connection that closes.
        Err(error) if error.is_panic() => answers::scrape_panicked().map(Body::from),
        Err(_) => answers::runtime_ends().map(Body::from),
    }
}

fn answer(monitor: &Monitor, probe: Probe<'_>, request: &Request) -> Response {
    monitor.answer_probe(probe, request.uri().query(), request.headers()).map(Body::from)
}
