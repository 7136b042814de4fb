use monitor_runtime::track_agent;

#[track_agent(fields(1))]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
