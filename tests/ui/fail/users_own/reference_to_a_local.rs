use monitor_runtime::track_agent;

#[track_agent]
fn plan<'a>() -> &'a str {
    let plan = String::new();
    &plan
}

fn main() {
    plan();
}
