use monitor_runtime::track_agent;

#[track_agent(crate = "monitor_runtime")]
fn plan() {}

fn main() {
    plan();
}
