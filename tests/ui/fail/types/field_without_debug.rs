use monitor_runtime::track_agent;

struct Goal;

#[track_agent(fields(name = ?goal))]
async fn plan(goal: Goal) -> usize {
    let _ = goal;
    1
}

fn main() {
    let _ = plan(Goal);
}
