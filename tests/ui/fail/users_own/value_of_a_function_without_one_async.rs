use monitor_runtime::track_agent;

#[track_agent]
async fn plan() {
    1
}

fn main() {
    let _ = plan();
}
