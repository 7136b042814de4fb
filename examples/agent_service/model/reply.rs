//! The stream of events in which a language model replies.

use futures_util::stream::{self, Stream};
use monitor_runtime::genai::{ModelReply, Usage};
use serde::Deserialize;

use super::connection::{Body, ModelError};

/// The size limit of one event.
const LONGEST_EVENT: usize = 1024 * 1024;

/// The last event.
const DONE: &str = "[DONE]";

/// One piece of a reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) text: String,
    usage: Option<Usage>,
    model: Option<String>,
    finish_reason: Option<String>,
}

impl ModelReply for Chunk {
    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    fn finish_reason(&self) -> Option<&str> {
        self.finish_reason.as_deref()
    }
}

#[derive(Deserialize)]
struct Event {
    choices: Option<Vec<Choice>>,
    usage: Option<Counts>,
    model: Option<String>,
    error: Option<Reason>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Reason {
    message: String,
}

#[derive(Deserialize)]
struct Counts {
    prompt_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let usage = Self::new(counts.prompt_tokens, counts.completion_tokens);
        let cached = counts.prompt_tokens_details.and_then(|details| details.cached_tokens);
        let usage = cached.map_or(usage, |tokens| usage.cached(tokens));
        let reasoning = counts.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        reasoning.map_or(usage, |tokens| usage.reasoning(tokens))
    }
}

/// Reads a reply piece by piece.
pub(super) fn chunks(body: Body) -> impl Stream<Item = Result<Chunk, ModelError>> + Send + 'static {
    let reader = Reader { body, unread: Vec::new(), has_finished: false };
    stream::try_unfold(
        reader,
        |mut reader| async move { Ok(reader.next().await?.map(|chunk| (chunk, reader))) },
    )
}

struct Reader {
    body: Body,
    unread: Vec<u8>,
    /// Whether the answer has come to its end. Some servers close the stream then, without a last event.
    has_finished: bool,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Chunk>, ModelError> {
        let Some(data) = self.next_event().await? else {
            return if self.has_finished { Ok(None) } else { Err(self.body.ends_early()) };
        };
        if data == DONE {
            return Ok(None);
        }
        let chunk = parse(&data).map_err(|reason| self.body.nonsense(&reason))?;
        self.has_finished |= chunk.finish_reason.is_some();
        Ok(Some(chunk))
    }

    /// The data of the next event, which is one line; `None` at the end of the stream.
    async fn next_event(&mut self) -> Result<Option<String>, ModelError> {
        loop {
            while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                if let Some(data) = data_of(&line) {
                    return Ok(Some(data));
                }
            }
            if self.unread.len() > LONGEST_EVENT {
                return Err(self.body.nonsense("an event has no end"));
            }
            match self.body.next().await? {
                Some(bytes) => self.unread.extend_from_slice(&bytes),
                None => return Ok(data_of(&std::mem::take(&mut self.unread))),
            }
        }
    }
}

/// The data of a line; `None` for comments, other fields and the empty lines between events.
fn data_of(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    line.trim_end().strip_prefix("data:").map(|data| data.trim_start().to_owned())
}

fn parse(data: &str) -> Result<Chunk, String> {
    let event: Event = serde_json::from_str(data).map_err(|error| format!("an event is {error}"))?;
    if let Some(Reason { message }) = event.error {
        return Err(message);
    }
    let choice = event.choices.ok_or("an event has no choices")?.into_iter().next();
    let (delta, finish_reason) = choice.map_or((None, None), |choice| (choice.delta, choice.finish_reason));
    Ok(Chunk {
        text: delta.and_then(|delta| delta.content).unwrap_or_default(),
        usage: event.usage.map(Usage::from),
        model: event.model,
        finish_reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_piece_of_text_or_the_usage() {
        let piece =
            parse(r#"{"model": "m-1", "choices": [{"delta": {"content": "Tea"}, "finish_reason": null}]}"#);
        assert_eq!(
            piece.unwrap(),
            Chunk { text: "Tea".to_owned(), model: Some("m-1".to_owned()), ..Chunk::default() }
        );
        let last = parse(
            r#"{"choices": [], "usage": {"prompt_tokens": 812, "completion_tokens": 96,
                "prompt_tokens_details": {"cached_tokens": 640}, "completion_tokens_details": {"reasoning_tokens": 64}}}"#,
        );
        assert_eq!(last.unwrap().usage, Some(Usage::new(812, 96).cached(640).reasoning(64)));
    }

    #[test]
    fn anything_else_is_nonsense() {
        assert_eq!(parse(r#"{"error": {"message": "overloaded"}}"#).unwrap_err(), "overloaded");
        assert_eq!(parse(r#"{"answer": 42}"#).unwrap_err(), "an event has no choices");
        assert!(parse("<html>").unwrap_err().starts_with("an event is expected value"));
    }

    #[test]
    fn only_data_is_read() {
        assert_eq!(data_of(b"data: [DONE]\r\n").as_deref(), Some("[DONE]"));
        assert_eq!(data_of(b"data:{}\n").as_deref(), Some("{}"));
        assert_eq!([data_of(b": ping\n"), data_of(b"event: a\n"), data_of(b"\n")], [None, None, None]);
    }
}
