use monitor_runtime::track_agent;

#[track_agent]
async fn plan(goal: &str) -> usize {
    goal.length()
}

fn main() {
    let _ = plan("ship");
}
