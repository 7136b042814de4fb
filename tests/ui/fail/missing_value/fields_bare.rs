use monitor_runtime::track_agent;

#[track_agent(fields, level = "debug")]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
