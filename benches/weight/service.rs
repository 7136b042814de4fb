//! A service with a tracked agent, metrics of its requests, JSON lines and a metrics endpoint.

use axum::{Router, http::StatusCode, routing::post};
use monitor_runtime::{Monitor, logging, track_agent};

#[track_agent("planner")]
async fn plan(goal: String) -> Result<String, StatusCode> {
    tracing::info!(goal, "planning");
    if goal.is_empty() { Err(StatusCode::BAD_REQUEST) } else { Ok(format!("1. {goal}")) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = logging::init()?;
    let app = Router::new().route("/plan", post(plan));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(Monitor::builder().build()?.serve(listener, app).await?)
}
