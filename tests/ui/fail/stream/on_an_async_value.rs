use monitor_runtime::track_agent;

#[track_agent(stream)]
async fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    let _ = plan("ship");
}
