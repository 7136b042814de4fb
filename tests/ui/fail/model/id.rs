use monitor_runtime::track_model;

#[track_model(id = "gpt-5", provider = "openai")]
fn complete() {}

fn main() {
    complete();
}
