use monitor_runtime::track_agent;

#[track_agent]
async fn plan(goal: String) -> usize {
    drop(goal);
    goal.len()
}

fn main() {
    let _ = plan(String::new());
}
