use monitor_runtime::track_agent;

#[track_agent(level)]
fn plan() {}

fn main() {
    plan();
}
