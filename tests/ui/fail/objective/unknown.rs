use monitor_runtime::track_agent;

#[track_agent(objective(throughput = 5))]
fn plan() {}

fn main() {
    plan();
}
