use monitor_runtime::track_model;

#[track_model(5, model = "gpt-5", provider = "openai")]
fn complete() {}

fn main() {
    complete();
}
