use monitor_runtime::track_skill;

#[track_skill(repeats())]
fn plan(goal: u32) -> u32 {
    goal
}

fn main() {
    plan(7);
}
