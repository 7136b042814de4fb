use monitor_runtime::track_agent;

#[track_agent]
fn plan<'a>(goal: &'a str, other: &str) -> &'a str {
    if goal.is_empty() { other } else { goal }
}

fn main() {
    plan("", "");
}
