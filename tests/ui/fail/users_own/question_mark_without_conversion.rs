use monitor_runtime::track_agent;

#[track_agent]
fn plan(text: &str) -> Result<u32, String> {
    Ok(text.parse::<u32>()?)
}

#[track_agent]
async fn plan_later(text: &str) -> Result<u32, String> {
    Ok(text.parse::<u32>()?)
}

fn main() {
    let _ = plan("1");
    let _ = plan_later("1");
}
