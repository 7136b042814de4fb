//! The HTTP interface.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::agents::ResearchError;
use crate::model::Model;
use crate::question::{InvalidQuestion, Question};
use crate::run::{self, Reply, RunError};
use crate::skills::Source;
use crate::store::{ListedRun, Store};
use crate::web;

/// Size limit of a request body: it fits the longest question, however it is escaped.
const LONGEST_BODY: usize = 16 * 1024;

const LISTED_RUNS: i64 = 50;

/// The routes of the service.
pub(crate) fn routes(store: Store, model: Model, time_limit: Duration, live_page: Option<String>) -> Router {
    Router::new()
        .route("/", get(web::form).post(web::ask).fallback(not_found))
        .route("/ask", post(ask))
        .route("/runs", get(runs))
        .fallback(not_found)
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "there are POST /ask and GET /runs")
        })
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(Service { store, model, time_limit, live_page: live_page.map(Into::into) })
}

/// The response to an unknown path, and to `/` for anything but a browser.
pub(crate) async fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there are POST /ask, GET /runs and GET /health/…")
}

/// State of the handlers.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) model: Model,
    /// Maximum time for an answer.
    pub(crate) time_limit: Duration,
    /// The URL of the live page.
    pub(crate) live_page: Option<Arc<str>>,
}

impl FromRef<Service> for Store {
    fn from_ref(service: &Service) -> Self {
        service.store.clone()
    }
}

#[derive(Deserialize)]
struct Asked {
    question: String,
    /// The client's time limit in milliseconds; the service's own limit still applies.
    timeout_ms: Option<NonZeroU64>,
}

#[derive(Serialize)]
struct Answered {
    answer_id: String,
    answer: String,
    sources: Vec<Source>,
    rounds: i32,
}

#[derive(Serialize)]
struct Runs {
    runs: Vec<ListedRun>,
}

/// Accepts JSON with any content type, so that a plain `curl -d` works.
async fn ask(
    State(Service { store, model, time_limit, .. }): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Answered>, ApiError> {
    let Asked { question, timeout_ms } = serde_json::from_slice(&body?)?;
    let limit = timeout_ms.map_or(time_limit, |asked| time_limit.min(Duration::from_millis(asked.get())));
    let Reply { answer_id, answer, rounds } =
        run::ask(&store, &model, &Question::new(&question)?, limit).await?;
    Ok(Json(Answered { answer_id, answer: answer.text, sources: answer.sources, rounds }))
}

async fn runs(State(store): State<Store>) -> Result<Json<Runs>, ApiError> {
    let runs = store.recent_runs(LISTED_RUNS).await.map_err(|_| ApiError::internal())?;
    Ok(Json(Runs { runs }))
}

/// An error response: a status, and the problem in one sentence.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// Hides the inner error, which the log already has.
    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something broke; the log says what, under this x-request-id",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.message }))).into_response()
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            status @ StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(status, format!("the body is longer than {LONGEST_BODY} bytes"))
            }
            status => Self::new(status, "the body cannot be read to its end"),
        }
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        let wrong = format!("expected a body such as {{\"question\": \"what is a skill?\"}}: {error}");
        Self::new(StatusCode::BAD_REQUEST, wrong)
    }
}

impl From<InvalidQuestion> for ApiError {
    fn from(invalid: InvalidQuestion) -> Self {
        Self::new(StatusCode::BAD_REQUEST, invalid.to_string())
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Research(ResearchError::NothingFound) => {
                Self::new(StatusCode::NOT_FOUND, error.to_string())
            }
            RunError::Research(ResearchError::Model(error)) => {
                Self::new(StatusCode::BAD_GATEWAY, error.to_string())
            }
            RunError::TimedOut { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, error.to_string()),
            RunError::Research(ResearchError::Search(_)) | RunError::Store(_) => Self::internal(),
        }
    }
}
