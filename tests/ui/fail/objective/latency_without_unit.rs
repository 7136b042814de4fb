use monitor_runtime::track_agent;

#[track_agent(objective(latency = "2@95"))]
fn plan() {}

fn main() {
    plan();
}
