use genai::chat::{ChatResponse, ChatStreamEvent};
use monitor_runtime::genai::Usage;

pub fn usage(counts: &genai::chat::Usage) -> Usage {
    // An absent count stays unknown, and so does a negative one.
    let tokens = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok());
    let mut usage = Usage::default();
    usage = tokens(counts.prompt_tokens).map_or(usage, |count| usage.input(count));
    usage = tokens(counts.completion_tokens).map_or(usage, |count| usage.output(count));
    if let Some(input) = &counts.prompt_tokens_details {
        usage = tokens(input.cached_tokens).map_or(usage, |count| usage.cached(count));
        usage = tokens(input.cache_creation_tokens).map_or(usage, |count| usage.cache_write(count));
    }
    if let Some(output) = &counts.completion_tokens_details {
        usage = tokens(output.reasoning_tokens).map_or(usage, |count| usage.reasoning(count));
    }
    usage
}

pub fn usage_of_reply(reply: &ChatResponse) -> Option<Usage> {
    Some(usage(&reply.usage))
}

pub fn usage_of_event(event: &ChatStreamEvent) -> Option<Usage> {
    match event {
        ChatStreamEvent::End(end) => end.captured_usage.as_ref().map(usage),
        _ => None,
    }
}
