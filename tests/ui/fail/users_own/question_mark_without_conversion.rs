use monitor_runtime::track_agent;

#[track_agent]
fn plan(text: &str) -> Result<u32, String> {
    Ok(text.parse::<u32>()?)
}

fn main() {
    let _ = plan("1");
}
