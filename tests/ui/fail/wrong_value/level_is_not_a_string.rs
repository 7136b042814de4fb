use monitor_runtime::track_agent;

#[track_agent(level = 3)]
fn plan() {}

fn main() {
    plan();
}
