use monitor_runtime::track_agent;

#[track_agent]
async fn plan(text: &str) -> u32 {
    text.parse::<u32>()?
}

fn main() {
    let _ = plan("1");
}
