use monitor_runtime::track_agent;

#[track_agent]
async fn plan(text: &str) -> usize {
    if text.is_empty() {
        return "none";
    }
    text.len()
}

fn main() {
    let _ = plan("1");
}
