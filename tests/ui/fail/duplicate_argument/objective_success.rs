use monitor_runtime::track_agent;

#[track_agent(objective(success = 99, success = 98))]
fn plan() {}

fn main() {
    plan();
}
