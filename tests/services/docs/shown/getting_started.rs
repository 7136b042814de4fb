use axum::{Router, extract::State, http::StatusCode, routing::post};
use monitor_runtime::health::{DatabaseCheck, DiskCheck};
use monitor_runtime::{Monitor, logging, track_agent, track_query, track_skill};
use sqlx::SqlitePool;

#[track_agent("researcher", fields(question_len = question.len()))]
async fn research(pool: &SqlitePool, question: &str) -> Result<String, sqlx::Error> {
    let notes = search_notes(pool, question).await?;
    tracing::info!(notes = notes.len(), "answering");
    Ok(notes.join("\n"))
}

#[track_skill]
async fn search_notes(pool: &SqlitePool, words: &str) -> Result<Vec<String>, sqlx::Error> {
    find_notes(pool, &format!("%{words}%")).await
}

#[track_query] // operation = "select", read from the SQL
async fn find_notes(pool: &SqlitePool, pattern: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT body FROM notes WHERE body LIKE ?").bind(pattern).fetch_all(pool).await
}

async fn ask(State(pool): State<SqlitePool>, question: String) -> Result<String, StatusCode> {
    research(&pool, &question).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = logging::init()?;
    let pool = SqlitePool::connect("sqlite:notes.db?mode=rwc").await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS notes (body TEXT NOT NULL)").execute(&pool).await?;

    let monitor = Monitor::builder()
        .service("notes", env!("CARGO_PKG_VERSION"))
        .check(DatabaseCheck::new(pool.clone()))
        .check(DiskCheck::new("/"))
        .pool("main", &pool)
        .build()?;

    let app = Router::new().route("/ask", post(ask)).with_state(pool);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(monitor.serve(listener, app).await?)
}
