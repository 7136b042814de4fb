use monitor_runtime::genai::Usage;
use monitor_runtime::track_model;

fn usage(text: &String) -> Usage {
    Usage::new(text.len() as u64, 0)
}

#[track_model("gpt-5", provider = "openai", usage = usage)]
async fn complete() -> Result<String, String> {
    Ok(String::new())
}

fn main() {
    usage(&String::new());
    drop(complete());
}
