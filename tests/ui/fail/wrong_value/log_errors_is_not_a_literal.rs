use monitor_runtime::track_agent;

#[track_agent(log_errors = quiet)]
fn plan() {}

fn main() {
    plan();
}
