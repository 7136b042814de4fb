use monitor_runtime::genai::Usage;
use monitor_runtime::track_model;

fn usage(text: &String) -> Option<Usage> {
    Some(Usage::new(text.len() as u64, 0))
}

#[track_model("gpt-5", provider = "openai", usage = usage)]
fn complete(number: u32) -> Result<u32, String> {
    Ok(number)
}

fn main() {
    usage(&String::new());
    complete(1).unwrap();
}
