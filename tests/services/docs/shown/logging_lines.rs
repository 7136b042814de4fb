use monitor_runtime::{context, track_agent, track_query, track_skill};

#[track_agent("researcher", fields(question_len = question.len()))]
fn research(question: &str) -> Result<u64, StoreError> {
    context::bind("user_id", 17);
    tracing::info!(attempt = 1, "searching");
    search(question)
}

#[track_skill("search_notes")]
fn search(question: &str) -> Result<u64, StoreError> {
    tracing::info!(level = "shallow", weight = f64::NAN, "looking for {question:?}");
    count_notes()
}

#[track_query("count_notes", operation = "select")]
fn count_notes() -> Result<u64, StoreError> {
    Err(StoreError { source: std::io::Error::other("connection reset") })
}

#[derive(Debug, thiserror::Error)]
#[error("the notes cannot be counted")]
struct StoreError {
    source: std::io::Error,
}
