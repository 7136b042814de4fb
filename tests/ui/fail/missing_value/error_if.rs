use monitor_runtime::track_agent;

#[track_agent(error_if)]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
