use monitor_runtime::genai::Usage;
use rig_core::completion::CompletionResponse;

pub fn usage(counts: &rig_core::completion::Usage) -> Usage {
    let mut usage = Usage::default();
    usage = counts.input_tokens.map_or(usage, |count| usage.input(count));
    usage = counts.output_tokens.map_or(usage, |count| usage.output(count));
    usage = counts.cached_input_tokens.map_or(usage, |count| usage.cached(count));
    usage = counts.cache_creation_input_tokens.map_or(usage, |count| usage.cache_write(count));
    counts.reasoning_tokens.map_or(usage, |count| usage.reasoning(count))
}

pub fn usage_of_reply(reply: &CompletionResponse) -> Option<Usage> {
    Some(usage(&reply.usage))
}
