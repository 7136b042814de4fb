use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> usize {
    goal.len()
}

fn main() {
    plan();
}
