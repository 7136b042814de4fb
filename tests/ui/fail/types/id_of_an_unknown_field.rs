use monitor_runtime::track_agent;

#[track_agent(id = goal.name)]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
