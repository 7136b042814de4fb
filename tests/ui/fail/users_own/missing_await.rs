use monitor_runtime::track_agent;

async fn length(goal: &str) -> usize {
    goal.len()
}

#[track_agent]
async fn plan(goal: &str) -> usize {
    length(goal)
}

fn main() {
    let _ = plan("ship");
}
