use monitor_runtime::track_agent;

#[track_agent]
async fn plan<'a>(goal: &'a str, other: &str) -> &'a str {
    if goal.is_empty() { other } else { goal }
}

fn main() {
    let _ = plan("", "");
}
