use monitor_runtime::track_agent;

#[track_agent(level = "verbose")]
fn plan() {}

fn main() {
    plan();
}
