use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> impl Iterator<Item = u8> {
    1
}

fn main() {
    let _ = plan();
}
