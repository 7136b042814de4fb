use async_openai::types::chat::{
    CompletionUsage, CreateChatCompletionResponse, CreateChatCompletionStreamResponse,
};
use monitor_runtime::genai::Usage;

pub fn usage(counts: &CompletionUsage) -> Usage {
    let mut usage = Usage::new(counts.prompt_tokens.into(), counts.completion_tokens.into());
    let input = counts.prompt_tokens_details.as_ref();
    if let Some(tokens) = input.and_then(|input| input.cached_tokens) {
        usage = usage.cached(tokens.into());
    }
    let output = counts.completion_tokens_details.as_ref();
    if let Some(tokens) = output.and_then(|output| output.reasoning_tokens) {
        usage = usage.reasoning(tokens.into());
    }
    usage
}

pub fn usage_of_reply(reply: &CreateChatCompletionResponse) -> Option<Usage> {
    reply.usage.as_ref().map(usage)
}

pub fn usage_of_chunk(chunk: &CreateChatCompletionStreamResponse) -> Option<Usage> {
    chunk.usage.as_ref().map(usage)
}
