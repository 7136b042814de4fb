use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::types::{ConverseStreamOutput, TokenUsage};
use monitor_runtime::genai::Usage;

pub fn usage(counts: &TokenUsage) -> Usage {
    // An absent count stays unknown, and so does a negative one.
    let tokens = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok());
    let cached = tokens(counts.cache_read_input_tokens);
    let written = tokens(counts.cache_write_input_tokens);
    let mut usage = Usage::default();
    if let Some(uncached) = tokens(Some(counts.input_tokens)) {
        usage = usage.input(uncached + cached.unwrap_or(0) + written.unwrap_or(0));
    }
    usage = tokens(Some(counts.output_tokens)).map_or(usage, |count| usage.output(count));
    usage = cached.map_or(usage, |count| usage.cached(count));
    written.map_or(usage, |count| usage.cache_write(count))
}

pub fn usage_of_reply(reply: &ConverseOutput) -> Option<Usage> {
    reply.usage().map(usage)
}

pub fn usage_of_event(event: &ConverseStreamOutput) -> Option<Usage> {
    event.as_metadata().ok()?.usage().map(usage)
}
