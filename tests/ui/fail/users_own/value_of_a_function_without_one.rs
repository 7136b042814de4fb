use monitor_runtime::track_agent;

#[track_agent]
fn plan() {
    1
}

fn main() {
    plan();
}
