use monitor_runtime::track_agent;

#[track_agent(fields(goal), fields(length = goal.len()))]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
