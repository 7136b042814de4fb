use monitor_runtime::track_agent;

#[track_agent(stream)]
fn plan(goal: &str) -> &str {
    goal
}

fn main() {
    plan("ship");
}
