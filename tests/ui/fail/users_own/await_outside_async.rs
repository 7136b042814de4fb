use monitor_runtime::track_agent;

async fn length(goal: &str) -> usize {
    goal.len()
}

#[track_agent]
fn plan(goal: &str) -> usize {
    length(goal).await
}

fn main() {
    plan("ship");
}
