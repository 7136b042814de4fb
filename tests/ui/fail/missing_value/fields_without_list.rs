use monitor_runtime::track_agent;

#[track_agent(fields = 1)]
fn plan() {}

fn main() {
    plan();
}
