use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: u8) -> u8 {
    let before = goal;
    goal = 1;
    before + goal
}

fn main() {
    plan(1);
}
