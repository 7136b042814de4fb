use monitor_runtime::track_skill;

struct Goal;

#[track_skill(fields(goal))]
fn plan(goal: &Goal) -> usize {
    let _ = goal;
    1
}

fn main() {
    plan(&Goal);
}
