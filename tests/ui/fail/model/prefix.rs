use monitor_runtime::track_model;

#[track_model("gpt-5", provider = "openai", prefix = "llm")]
fn complete() {}

fn main() {
    complete();
}
