use monitor_runtime::track_agent;

#[track_agent(operation = "select")]
fn plan() {}

fn main() {
    plan();
}
