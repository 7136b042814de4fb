use monitor_runtime::track_agent;

#[track_agent(objective(latency = "2s"))]
fn plan() {}

fn main() {
    plan();
}
