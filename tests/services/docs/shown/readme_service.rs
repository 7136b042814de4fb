use axum::{Router, http::StatusCode, routing::post};
use monitor_runtime::{Monitor, track_agent};

#[track_agent("planner")]
async fn plan(goal: String) -> Result<String, StatusCode> {
    if goal.is_empty() { Err(StatusCode::BAD_REQUEST) } else { Ok(format!("1. {goal}")) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route("/plan", post(plan));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(Monitor::builder().build()?.serve(listener, app).await?)
}
