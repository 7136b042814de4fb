use monitor_runtime::genai::Usage;
use ollama_rs::generation::chat::ChatMessageResponse;

pub fn usage(reply: &ChatMessageResponse) -> Option<Usage> {
    let counts = reply.final_data.as_ref()?;
    Some(Usage::new(counts.prompt_eval_count, counts.eval_count))
}
