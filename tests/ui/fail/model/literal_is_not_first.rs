use monitor_runtime::track_model;

#[track_model(provider = "openai", "gpt-5")]
fn complete() {}

fn main() {
    complete();
}
