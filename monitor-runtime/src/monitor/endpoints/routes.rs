//! The probes as axum routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::map_request;
use axum::response::Response;
use axum::routing::{self, MethodRouter};

use super::state::Endpoints;
use super::{answer as answers, held_scrapes};
use crate::monitor_route::{CHECK, LIVE, METRICS, MonitorRoute, READY, STARTUP};

/// Every route, for the runtime that the application is on.
pub(crate) fn routes(endpoints: Arc<Endpoints>) -> Router {
    let routes = Router::new().route(LIVE, get(live)).merge(all_but_live(endpoints));
    routes.route_layer(map_request(left_out))
}

/// A layer that could not know the route, as where it is mounted by `nest_service`, learns here that it is a probe.
async fn left_out(request: Request) -> Request {
    crate::http::exclude_from_metrics(request.extensions());
    request
}

/// Every route, for a runtime that watches the application's and knows whether that is stalled.
pub(crate) fn admin_routes(
    endpoints: Arc<Endpoints>,
    is_stalled: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> Router {
    let watched = async move || {
        let answer = if is_stalled() { answers::stalled() } else { answers::alive() };
        answer.map(Body::from)
    };
    let routes = Router::new().route(LIVE, get(watched)).merge(all_but_live(endpoints));
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

fn all_but_live(endpoints: Arc<Endpoints>) -> Router {
    Router::new()
        .route(READY, get(ready))
        .route(CHECK, get(check))
        .route(STARTUP, get(startup))
        .route(METRICS, get(metrics))
        .with_state(endpoints)
}

async fn live() -> Response {
    answers::alive().map(Body::from)
}

async fn ready(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    answer(&endpoints, MonitorRoute::Ready, &request)
}

async fn check(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    // A name needs no decoding, and below a prefix that captures it is the last segment all the same.
    let name = request.uri().path().rsplit('/').next().unwrap_or_default();
    answer(&endpoints, MonitorRoute::Check(name), &request)
}

async fn startup(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    answer(&endpoints, MonitorRoute::Startup, &request)
}

/// On a thread where it may block: a scrape waits for one that is under way, and for the user's own collectors.
async fn metrics(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let scrape = move || endpoints.answer_route(MonitorRoute::Metrics, None, &parts.headers);
    match tokio::task::spawn_blocking(scrape).await {
        Ok(response) => response.map(held_scrapes::body),
        // Collectors that panic are left out, so this is a fault of ours: an answer tells more than a connection that closes.
        Err(error) if error.is_panic() => answers::scrape_panicked().map(Body::from),
        Err(_) => answers::runtime_ends().map(Body::from),
    }
}

fn answer(endpoints: &Endpoints, route: MonitorRoute<'_>, request: &Request) -> Response {
    endpoints.answer_route(route, request.uri().query(), request.headers()).map(Body::from)
}
