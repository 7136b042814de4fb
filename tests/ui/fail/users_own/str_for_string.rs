use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: &str) -> String {
    goal
}

fn main() {
    plan("ship");
}
