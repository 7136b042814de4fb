use monitor_runtime::track_agent;

#[track_agent("", nmae = 1, level = "loud", fields(goal, goal))]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
