use monitor_runtime::track_agent;

#[track_agent(repeats(goal))]
fn plan(goal: u32) -> u32 {
    goal
}

fn main() {
    plan(7);
}
