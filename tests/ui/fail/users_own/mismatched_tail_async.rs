use monitor_runtime::track_agent;

#[track_agent]
async fn plan() -> String {
    1
}

fn main() {
    let _ = plan();
}
