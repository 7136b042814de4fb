use monitor_runtime::track_agent;

#[track_agent(stream = true)]
fn plan() {}

fn main() {
    plan();
}
