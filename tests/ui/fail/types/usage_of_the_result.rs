use monitor_runtime::genai::Usage;
use monitor_runtime::track_model;

/// It reads the whole result and not the value of its `Ok`.
fn usage(result: &Result<String, String>) -> Option<Usage> {
    result.as_ref().ok().map(|text| Usage::new(text.len() as u64, 0))
}

#[track_model("gpt-5", provider = "openai", usage = usage)]
fn complete() -> Result<String, String> {
    Ok(String::new())
}

fn main() {
    usage(&Ok(String::new()));
    complete().unwrap();
}
