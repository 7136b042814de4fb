use monitor_runtime::track_agent;

#[track_agent(objective(success = 101, latency = "fast"))]
fn plan() {}

fn main() {
    plan();
}
