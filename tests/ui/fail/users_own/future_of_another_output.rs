use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> impl Future<Output = usize> {
    async { "plan" }
}

fn main() {
    let _ = plan();
}
