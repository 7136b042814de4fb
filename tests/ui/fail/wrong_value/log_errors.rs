use monitor_runtime::track_agent;

#[track_agent(log_errors = "loudly")]
fn plan() {}

fn main() {
    plan();
}
