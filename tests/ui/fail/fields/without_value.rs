use monitor_runtime::track_agent;

#[track_agent(fields(goal = , length = 1))]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
