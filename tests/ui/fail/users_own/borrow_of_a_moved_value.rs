use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: String) -> usize {
    drop(goal);
    goal.len()
}

fn main() {
    plan(String::new());
}
