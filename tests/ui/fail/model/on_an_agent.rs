use monitor_runtime::track_agent;

#[track_agent("planner", model = "gpt-5")]
fn complete() {}

fn main() {
    complete();
}
