use monitor_runtime::track_agent;

#[track_agent("")]
fn plan() {}

fn main() {
    plan();
}
