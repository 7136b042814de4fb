use monitor_runtime::track_skill;

#[track_skill(fields(skill_id = goal))]
fn plan(goal: &str) -> usize {
    goal.len()
}

fn main() {
    plan("ship");
}
