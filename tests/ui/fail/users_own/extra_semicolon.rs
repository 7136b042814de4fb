use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: &str) -> String {
    goal.to_owned();
}

fn main() {
    plan("ship");
}
