//! The API of the runs on the admin listener: JSON, or aligned text for a terminal.
//!
//! Every answer is cut to its limit before anything is written.

mod guard;
mod query;
mod refusal;
mod write;

use std::sync::Arc;

use ::http::{Response, StatusCode};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::any;
use bytes::Bytes;

use super::endpoints::Endpoints;
use crate::monitor_route::MonitorRoute;
use crate::run::{self, ParseRunIdError, RunId, Runs};
use query::{Format, Query};
use refusal::Refusal;

/// The prefix of all routes of the API.
const PREFIX: &str = "/monitor/api/v1";

/// The state of every handler.
#[derive(Clone)]
struct Api {
    endpoints: Arc<Endpoints>,
    /// Whether only this machine reaches the listener.
    is_loopback: bool,
}

type Answer = Result<Response<Bytes>, Refusal>;

/// The routes of the API.
pub(super) fn routes(endpoints: &Arc<Endpoints>, is_loopback: bool) -> Router {
    let api = Api { endpoints: Arc::clone(endpoints), is_loopback };
    let routes = Router::new()
        .route("/now", any(async |request: Request| answered(now(&request))))
        .route("/runs", any(async |request: Request| answered(list(&request))))
        .route(
            "/runs/{id}",
            any(async |Path(id): Path<String>, request: Request| answered(one(&id, &request))),
        )
        .route(
            "/health",
            any(async |State(api): State<Api>, request: Request| answered(health(&api, &request))),
        )
        .route("/about", any(async |request: Request| answered(about(&request))))
        .fallback(async || answered(Err(no_such_route())))
        .layer(from_fn_with_state(api.clone(), guarded))
        .with_state(api);
    Router::new().nest(PREFIX, routes)
}

fn no_such_route() -> Refusal {
    let text = "no such route; there are now, runs, runs/{id}, health and about below /monitor/api/v1";
    Refusal::new(StatusCode::NOT_FOUND, text)
}

async fn guarded(State(api): State<Api>, request: Request, next: Next) -> Response<Body> {
    match guard::check(&api.endpoints.bearer, api.is_loopback, request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => answered(Err(refusal)),
    }
}

fn answered(answer: Answer) -> Response<Body> {
    answer.unwrap_or_else(Refusal::into_response).map(Body::from)
}

fn recorded() -> Result<Runs, Refusal> {
    run::started().ok_or_else(|| {
        let text = "no recorder of runs is started; call `monitor_runtime::run::builder().start()`";
        Refusal::new(StatusCode::NOT_FOUND, text)
    })
}

/// The runs that go on, the oldest first.
fn now(request: &Request) -> Answer {
    let query = Query::parse(request, &["limit"])?;
    let (running, more) = recorded()?.running_at_most(query.limit);
    Ok(write::runs("running", running.iter(), ("more", Some(more as u64)), query.format))
}

/// The kept runs that match, the last one to end first.
fn list(request: &Request) -> Answer {
    let query = Query::parse(request, &["limit", "status", "agent", "min_ms", "cursor"])?;
    let page = recorded()?.page(query.cursor, query.limit, |run| query.takes(run));
    let cursor = page.last().filter(|_| page.len() == query.limit).map(|(cursor, _)| *cursor);
    Ok(write::runs("runs", page.iter().map(|(_, run)| &**run), ("cursor", cursor), query.format))
}

/// The trees of one id.
fn one(id: &str, request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    let id: RunId = id.parse().map_err(|error: ParseRunIdError| Refusal::bad(&error.to_string()))?;
    let found = recorded()?.find(id);
    if found.is_empty() {
        let text =
            format!("run {id} is not kept; of each agent, the newest, failed, slow and pinned runs are");
        return Err(Refusal::new(StatusCode::NOT_FOUND, &text));
    }
    Ok(write::trees(&found, query.format))
}

/// The readiness, as the probe answers it.
fn health(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    let verbose = (query.format == Format::Text).then_some("verbose");
    Ok(api.endpoints.answer_route(MonitorRoute::Ready, verbose, request.headers()))
}

/// What the recorder keeps and has lost.
fn about(request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    Ok(write::figures(&recorded()?.figures(), query.format))
}
