use monitor_runtime::track_agent;

struct Goal;

#[track_agent(fields(%goal))]
fn plan(goal: &Goal) -> usize {
    let _ = goal;
    1
}

fn main() {
    plan(&Goal);
}
