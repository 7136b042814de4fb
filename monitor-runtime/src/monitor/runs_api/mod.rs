//! The API of the runs: JSON, or aligned text for a terminal.
//!
//! `api.schema.json` describes the JSON. Every answer is cut to its limit before anything is written.

mod about;
mod calls;
#[cfg(feature = "dashboard")]
mod clients;
#[cfg(feature = "dashboard")]
mod events;
#[cfg(feature = "dashboard")]
mod feed;
#[cfg(feature = "dashboard")]
mod followed;
mod frame;
pub(super) mod guard;
mod health;
#[cfg(feature = "dashboard")]
pub(super) mod instances;
mod logs;
mod models;
mod object;
mod plots;
mod query;
mod refusal;
mod runs;
#[cfg(feature = "dashboard")]
mod stream;
mod totals;
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
use crate::run::{self, Runs};
use guard::{Gate, Reach};
use object::{Object, json_answer, text_answer};
use query::{Format, Query};
pub(super) use refusal::Refusal;

/// The schema of every answer.
const SCHEMA: &str = include_str!("api.schema.json");

/// The prefix of all routes of the API.
const PREFIX: &str = "/monitor/api/v1";

/// The route of what the API of another instance tells, which this process passes on.
#[cfg(feature = "dashboard")]
const PASSED: &str = "/monitor/i/{instance}/api/v1/{*path}";

/// The state of every handler.
#[derive(Clone)]
struct Api {
    endpoints: Arc<Endpoints>,
    reach: Reach,
    /// Those who follow the live page.
    #[cfg(feature = "dashboard")]
    clients: Arc<clients::Clients>,
}

impl Api {
    /// Whether readers may see the arguments and results that `record(…)` keeps.
    #[cfg_attr(
        not(feature = "dashboard"),
        expect(clippy::unused_self, reason = "only the live page has the setting")
    )]
    fn shows_content(&self) -> bool {
        #[cfg(feature = "dashboard")]
        return self.endpoints.dashboard.as_ref().is_some_and(|dashboard| dashboard.shows_content);
        #[cfg(not(feature = "dashboard"))]
        false
    }
}

type Answer = Result<Response<Bytes>, Refusal>;

/// An answer without parameters in its path.
type Plain = fn(&Api, &Request) -> Answer;

/// The routes of the API.
pub(super) fn routes(endpoints: &Arc<Endpoints>, reach: Reach) -> Router {
    frame::note_start();
    let api = Api {
        endpoints: Arc::clone(endpoints),
        reach,
        #[cfg(feature = "dashboard")]
        clients: Arc::default(),
    };
    let plain: [(&str, Plain); 9] = [
        ("/now", runs::now),
        ("/history", plots::history),
        ("/runs", runs::list),
        ("/calls", calls::list),
        ("/models", models::list),
        ("/health", health::checks),
        ("/logs", logs::tail),
        ("/about", about::about),
        ("/schema", schema),
    ];
    let routes = plain.into_iter().fold(Router::new(), |routes, (path, answer)| {
        routes.route(
            path,
            any(async move |State(api): State<Api>, request: Request| answered(answer(&api, &request))),
        )
    });
    let routes = routes
        .route(
            "/runs/{id}",
            any(async |State(api): State<Api>, Path(id): Path<String>, request: Request| {
                answered(runs::one(&api, &id, &request))
            }),
        )
        .route("/runs/{id}/pin", any(async |Path(id): Path<String>| answered(runs::pin(&id, true))))
        .route("/runs/{id}/unpin", any(async |Path(id): Path<String>| answered(runs::pin(&id, false))))
        .route(
            "/calls/{kind}/{id}",
            any(
                async |State(api): State<Api>, Path((kind, id)): Path<(String, String)>, request: Request| {
                    answered(calls::one(&api, &kind, &id, &request))
                },
            ),
        )
        .fallback(async || answered(Err(no_such_route())));
    #[cfg(feature = "dashboard")]
    let routes = if api.endpoints.dashboard.is_some() { routes.merge(page_routes()) } else { routes };
    let guard = from_fn_with_state(api.clone(), guarded);
    let all = Router::new().nest(PREFIX, routes.layer(guard.clone()));
    #[cfg(feature = "dashboard")]
    let all = if api.endpoints.dashboard.is_some() { all.merge(passed_routes().layer(guard)) } else { all };
    all.with_state(api)
}

/// The routes that only the live page needs.
#[cfg(feature = "dashboard")]
fn page_routes() -> Router<Api> {
    let follow = async |State(api): State<Api>, request: Request| {
        stream::follow(&api, &request).unwrap_or_else(|refusal| answered(Err(refusal)))
    };
    let instances =
        async |State(api): State<Api>, request: Request| answered(instances::list(&api, request).await);
    let instance = async |State(api): State<Api>, request: Request| answered(instances::one(&api, &request));
    Router::new()
        .route("/stream", any(follow))
        .route("/instances", any(instances))
        .route("/instance", any(instance))
}

/// The routes of other instances.
#[cfg(feature = "dashboard")]
fn passed_routes() -> Router<Api> {
    let pass =
        async |State(api): State<Api>, Path((instance, _)): Path<(String, String)>, request: Request| {
            let passed = instances::pass(&api, &instance, request).await;
            passed.unwrap_or_else(|refusal| answered(Err(refusal)))
        };
    Router::new().route(PASSED, any(pass))
}

/// The schema of every answer.
fn schema(_: &Api, request: &Request) -> Answer {
    Query::parse(request, &[])?;
    Ok(super::endpoints::answer::json(StatusCode::OK, Bytes::from_static(SCHEMA.as_bytes())))
}

fn no_such_route() -> Refusal {
    let text = "no such route; there are now, history, runs, runs/{id}, calls, calls/{kind}/{id}, models, health, logs, \
                about, schema and, with a live page, stream, instance and instances below /monitor/api/v1";
    Refusal::new(StatusCode::NOT_FOUND, text)
}

async fn guarded(State(api): State<Api>, request: Request, next: Next) -> Response<Body> {
    let is_change = is_change(request.uri().path());
    let gate = Gate::of(&api.endpoints, api.reach);
    match guard::check(gate, is_change, (request.method(), request.uri(), request.headers())) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            if refusal.status == StatusCode::UNAUTHORIZED {
                api.endpoints.bearer.slow_down(request.headers(), request.extensions()).await;
            }
            answered(Err(refusal))
        }
    }
}

/// Whether a path below the prefix is that of a change: nothing but a pin changes anything, and none is passed on
/// to another instance. A call may have any name.
fn is_change(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
    matches!(parts, [Some("runs"), Some(_), Some("pin" | "unpin"), None])
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

/// Answers in the form that is asked for: a JSON object with the parts of every answer, or a text.
fn formed(
    api: &Api,
    runs: Runs,
    format: Format,
    write: impl FnOnce(&mut Object<'_>),
    text: impl FnOnce() -> String,
) -> Response<Bytes> {
    if format == Format::Text {
        return text_answer(text());
    }
    let mut body = Vec::new();
    let mut object = Object::open(&mut body);
    write(&mut object);
    frame::write(&mut object, api, runs);
    object.close();
    json_answer(body)
}
