use monitor_runtime::track_agent;

#[track_agent]
async fn plan() -> usize {
    goal.len()
}

fn main() {
    let _ = plan();
}
