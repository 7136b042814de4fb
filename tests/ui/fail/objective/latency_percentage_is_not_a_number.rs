use monitor_runtime::track_agent;

#[track_agent(objective(latency = "2s@p95"))]
fn plan() {}

fn main() {
    plan();
}
