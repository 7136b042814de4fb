use monitor_runtime::track_agent;

#[track_agent]
fn plan(text: &str) -> u32 {
    text.parse::<u32>()?
}

fn main() {
    plan("1");
}
