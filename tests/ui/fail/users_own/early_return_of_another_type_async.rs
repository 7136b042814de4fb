use monitor_runtime::track_agent;

#[track_agent]
async fn plan(goal: &str) -> usize {
    if goal.is_empty() {
        return "none";
    }
    goal.len()
}

fn main() {
    let _ = plan("ship");
}
