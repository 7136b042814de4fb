use monitor_runtime::track_agent;

#[track_agent(objective(latency = "0s@95"))]
fn plan() {}

fn main() {
    plan();
}
