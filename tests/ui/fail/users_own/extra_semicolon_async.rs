use monitor_runtime::track_agent;

#[track_agent]
async fn plan(goal: &str) -> String {
    goal.to_owned();
}

fn main() {
    let _ = plan("ship");
}
