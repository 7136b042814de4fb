use monitor_runtime::track_agent;

#[track_agent(objective(success = 100))]
fn plan() {}

fn main() {
    plan();
}
