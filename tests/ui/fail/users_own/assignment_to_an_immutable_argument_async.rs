use monitor_runtime::track_agent;

#[track_agent]
async fn plan(goal: u8) -> u8 {
    let before = goal;
    goal = 1;
    before + goal
}

fn main() {
    let _ = plan(1);
}
