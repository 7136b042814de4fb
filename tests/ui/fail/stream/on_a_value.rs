use monitor_runtime::track_agent;

#[track_agent(stream)]
async fn plan(goal: &str) -> usize {
    goal.len()
}

#[track_agent(stream)]
fn plan_at_once(goal: &str) -> &str {
    goal
}

fn main() {
    let _ = plan("ship");
    plan_at_once("ship");
}
