#[monitor_runtime::track_agent("planner")]
fn plan(goal: &str) -> Result<(), std::io::Error> {
    tracing::info!(steps = 3, "planned");
    look_up(goal)
}

#[monitor_runtime::track_skill("web_search", fields(query_len = query.len()))]
fn look_up(query: &str) -> Result<(), std::io::Error> {
    Err(std::io::Error::other(format!("nothing found for {query}")))
}
