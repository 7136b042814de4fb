use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> String {
    1
}

fn main() {
    plan();
}
