use monitor_runtime::track_agent;

#[track_agent]
fn plan(goal: &str) -> usize {
    if goal.is_empty() {
        return "none";
    }
    goal.len()
}

fn main() {
    plan("ship");
}
