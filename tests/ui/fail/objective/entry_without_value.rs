use monitor_runtime::track_agent;

#[track_agent(objective(success))]
fn plan() {}

fn main() {
    plan();
}
