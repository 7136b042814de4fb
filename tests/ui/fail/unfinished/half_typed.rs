use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: String) -> String {
    goal.
}

fn main() {
    plan(String::new());
}
