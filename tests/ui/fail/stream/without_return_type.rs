use monitor_runtime::track_agent;

#[track_agent(stream)]
fn plan() {}

fn main() {
    plan();
}
