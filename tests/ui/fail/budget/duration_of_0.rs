use monitor_runtime::track_agent;

#[track_agent(budget(duration = "0s"))]
fn plan() {}

fn main() {
    plan();
}
