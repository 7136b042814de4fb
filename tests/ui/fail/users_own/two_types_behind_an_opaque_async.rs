use monitor_runtime::track_agent;

#[track_agent]
async fn plan(is_known: bool) -> impl std::fmt::Display {
    if is_known {
        return 1;
    }
    "unknown"
}

fn main() {
    let _ = plan(true);
}
