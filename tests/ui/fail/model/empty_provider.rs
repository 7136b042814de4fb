use monitor_runtime::track_model;

#[track_model("gpt-5", provider = "")]
fn complete() {}

fn main() {
    complete();
}
