use monitor_runtime::track_model;

#[track_model("gpt-5", provider = "openai", objective(success = 99.9))]
fn complete() {}

fn main() {
    complete();
}
