use monitor_runtime::genai::Usage;
use rig_core::completion::CompletionResponse;

pub fn usage(counts: &rig_core::completion::Usage) -> Option<Usage> {
    let mut usage = Usage::new(counts.input_tokens?, counts.output_tokens?);
    usage = counts.cached_input_tokens.map_or(usage, |count| usage.cached(count));
    usage = counts.cache_creation_input_tokens.map_or(usage, |count| usage.cache_write(count));
    usage = counts.reasoning_tokens.map_or(usage, |count| usage.reasoning(count));
    Some(usage)
}

pub fn usage_of_reply(reply: &CompletionResponse) -> Option<Usage> {
    usage(&reply.usage)
}
