use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> impl Future<Output = usize> {
    1
}

fn main() {
    let _ = plan();
}
