use monitor_runtime::track_model;

#[track_model("", provider = "openai")]
fn complete() {}

fn main() {
    complete();
}
