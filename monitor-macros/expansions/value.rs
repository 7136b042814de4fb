use monitor_runtime::track_agent;

#[track_agent]
fn review(draft: &str) -> bool {
    !draft.is_empty()
}
