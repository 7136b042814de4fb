use monitor_runtime::track_agent;

#[track_agent]
fn plan() -> String {
    1
}

#[track_agent]
async fn plan_later() -> String {
    1
}

fn main() {
    plan();
    let _ = plan_later();
}
