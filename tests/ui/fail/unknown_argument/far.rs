use monitor_runtime::track_skill;

#[track_skill(name = "planner")]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
