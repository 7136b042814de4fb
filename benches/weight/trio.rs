//! The service of `service.rs` on three other crates, as far as they go: they have no health endpoints and no drain.

use autometrics::autometrics;
use axum::{Router, http::StatusCode, routing::{get, post}};
use axum_prometheus::PrometheusMetricLayer;

#[autometrics(track_concurrency)]
async fn plan(goal: String) -> Result<String, StatusCode> {
    tracing::info!(goal, "planning");
    if goal.is_empty() { Err(StatusCode::BAD_REQUEST) } else { Ok(format!("1. {goal}")) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let (layer, handle) = PrometheusMetricLayer::pair();
    let app = Router::new()
        .route("/plan", post(plan))
        .route("/metrics", get(async move || handle.render()))
        .layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}
