use monitor_runtime::track_agent;

#[track_agent(budget(duration = "5d"))]
fn plan() {}

fn main() {
    plan();
}
