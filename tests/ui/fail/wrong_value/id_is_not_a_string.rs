use monitor_runtime::track_agent;

#[track_agent(7)]
fn plan() {}

fn main() {
    plan();
}
