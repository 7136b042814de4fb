//! The endpoints as axum routes.

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

/// All routes, for the application's own runtime.
pub(crate) fn routes<S>(endpoints: &Arc<Endpoints>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let routes = Router::new().route(LIVE, get(live)).merge(all_but_live(endpoints));
    below(&endpoints.base_path, routes.route_layer(map_request(left_out)))
}

/// Nests routes below the base path, if there is one.
pub(in crate::monitor) fn below<S>(base_path: &str, routes: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    if base_path.is_empty() { routes } else { Router::new().nest(base_path, routes) }
}

/// Takes the request out of the metrics, for a layer that could not know the route, for example around `nest_service`.
pub(in crate::monitor) async fn left_out(request: Request) -> Request {
    crate::http::exclude_from_metrics(request.extensions());
    request
}

/// All routes, for the admin listener, which knows whether the application's runtime is stalled.
pub(crate) fn admin_routes(
    endpoints: &Arc<Endpoints>,
    is_stalled: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> Router {
    let watched = async move || {
        let answer = if is_stalled() { answers::stalled() } else { answers::alive() };
        answer.map(Body::from)
    };
    let routes = Router::new().route(LIVE, get(watched)).merge(all_but_live(endpoints));
    below(&endpoints.base_path, routes).fallback(async || answers::no_such_route().map(Body::from))
}

/// Routes `GET` and `HEAD` to the handler; other methods get 405.
fn get<H, T, S>(handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    routing::get(handler).fallback(async || answers::method_not_allowed().map(Body::from))
}

fn all_but_live<S>(endpoints: &Arc<Endpoints>) -> Router<S> {
    Router::new()
        .route(READY, get(ready))
        .route(CHECK, get(check))
        .route(STARTUP, get(startup))
        .route(METRICS, get(metrics))
        .with_state(Arc::clone(endpoints))
}

async fn live() -> Response {
    answers::alive().map(Body::from)
}

async fn ready(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    answer(&endpoints, MonitorRoute::Ready, request).await
}

async fn check(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    // The name needs no decoding, and is the last segment even below a prefix that captures.
    let uri = request.uri().clone();
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    answer(&endpoints, MonitorRoute::Check(name), request).await
}

async fn startup(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    answer(&endpoints, MonitorRoute::Startup, request).await
}

/// Runs on a blocking thread, since a scrape waits for the one in progress, and for the user's collectors.
async fn metrics(State(endpoints): State<Arc<Endpoints>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    endpoints.bearer.slow_down(&parts.headers, &parts.extensions).await;
    let scrape = move || endpoints.answer_route(MonitorRoute::Metrics, None, &parts.headers);
    match tokio::task::spawn_blocking(scrape).await {
        Ok(response) => response.map(held_scrapes::body),
        // Panics of collectors are handled, so this is a bug in this crate. An answer tells more than a closed
        // connection.
        Err(error) if error.is_panic() => answers::scrape_panicked().map(Body::from),
        Err(_) => answers::runtime_ends().map(Body::from),
    }
}

async fn answer(endpoints: &Endpoints, route: MonitorRoute<'_>, request: Request) -> Response {
    endpoints.bearer.slow_down(request.headers(), request.extensions()).await;
    endpoints.answer_route(route, request.uri().query(), request.headers()).map(Body::from)
}
