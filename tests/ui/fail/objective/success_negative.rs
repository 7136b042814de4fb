use monitor_runtime::track_agent;

#[track_agent(objective(success = -1))]
fn plan() {}

fn main() {
    plan();
}
