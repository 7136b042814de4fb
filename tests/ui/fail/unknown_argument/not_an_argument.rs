use monitor_runtime::track_agent;

#[track_agent("planner", &goal)]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
