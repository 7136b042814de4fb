use monitor_runtime::track_agent;

#[track_agent(level = "debug", level = "info")]
fn plan() {}

fn main() {
    plan();
}
