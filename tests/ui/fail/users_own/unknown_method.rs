use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: &str) -> usize {
    goal.length()
}

fn main() {
    plan("ship");
}
