use monitor_runtime::track_model;

#[track_model("gpt-5", provider = "openai", temperature = 1)]
fn complete() {}

fn main() {
    complete();
}
