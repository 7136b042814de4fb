use monitor_runtime::track_model;

#[track_model("gpt-5")]
fn complete() {}

fn main() {
    complete();
}
