use aws_sdk_bedrockruntime::operation::converse::ConverseOutput;
use aws_sdk_bedrockruntime::types::{ConverseStreamOutput, TokenUsage};
use monitor_runtime::genai::Usage;

pub fn usage(counts: &TokenUsage) -> Usage {
    let tokens = |count: i32| u64::try_from(count).unwrap_or_default();
    Usage::beside_cache(
        tokens(counts.input_tokens),
        tokens(counts.cache_read_input_tokens.unwrap_or_default()),
        tokens(counts.cache_write_input_tokens.unwrap_or_default()),
        tokens(counts.output_tokens),
    )
}

pub fn usage_of_reply(reply: &ConverseOutput) -> Option<Usage> {
    reply.usage().map(usage)
}

pub fn usage_of_event(event: &ConverseStreamOutput) -> Option<Usage> {
    event.as_metadata().ok()?.usage().map(usage)
}
