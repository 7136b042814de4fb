use monitor_runtime::track_agent;

#[track_agent(objective(success = 0.0))]
fn plan() {}

fn main() {
    plan();
}
