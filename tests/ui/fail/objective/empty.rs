use monitor_runtime::track_agent;

#[track_agent(objective())]
fn plan() {}

fn main() {
    plan();
}
