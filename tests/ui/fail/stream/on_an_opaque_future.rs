use monitor_runtime::track_agent;

#[track_agent(stream)]
fn plan(goal: &str) -> impl Future<Output = usize> {
    std::future::ready(goal.len())
}

fn main() {
    drop(plan("ship"));
}
