//! `track_model`: its options on functions, methods and blocks.
#![deny(warnings)]

use monitor_runtime::genai::{ModelReply, Usage};
use monitor_runtime::track_model;

struct Reply(u64);

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        Some(Usage::new(self.0, self.0))
    }
}

const MODEL: &str = "gpt-5";

#[track_model("gpt-5", provider = "openai")]
fn literal() -> Reply {
    Reply(1)
}

#[track_model(model = MODEL, provider = "openai", operation = "embeddings")]
fn constant() -> Result<Reply, String> {
    Ok(Reply(2))
}

fn read(text: &String) -> Option<Usage> {
    Some(Usage::default().output(text.len() as u64))
}

#[track_model("composer", provider = "local", usage = read, fields(question))]
fn by_path(question: &str) -> Result<String, std::fmt::Error> {
    if question.is_empty() {
        return Err(std::fmt::Error);
    }
    Ok(question.to_owned())
}

/// A type that reports nothing.
#[track_model("composer", provider = "local")]
fn silent() {}

/// An error with a usage.
#[derive(Debug)]
struct Filtered(u64);

impl ModelReply for Filtered {
    fn usage(&self) -> Option<Usage> {
        Some(Usage::new(self.0, 0))
    }

    fn is_refusal(&self) -> bool {
        true
    }
}

#[track_model("gpt-5", provider = "openai")]
fn filtered() -> Result<Reply, Filtered> {
    Err(Filtered(1))
}

#[track_model("gpt-5", provider = "openai")]
async fn filtered_later() -> Result<String, Box<Filtered>> {
    Err(Box::new(Filtered(2)))
}

#[track_model("composer", provider = "local", usage = read)]
fn filtered_by_path() -> Result<String, Filtered> {
    Err(Filtered(3))
}

/// The error type may report or not.
#[track_model("gpt-5", provider = "openai")]
fn generic<E: std::fmt::Debug>(error: E) -> Result<Reply, E> {
    Err(error)
}

#[allow(deprecated)]
#[track_model("gpt-5", provider = "OpenAI")]
fn nearly_known() {}

struct Client {
    provider: String,
    model: String,
}

#[track_model(provider = self.provider, model = self.model)]
impl Client {
    fn complete(&self) -> Option<Reply> {
        Some(Reply(3))
    }

    #[track("text-embedding-3", operation = "embeddings")]
    fn embed(&self) -> Vec<f32> {
        Vec::new()
    }

    async fn later(&self) -> Result<Reply, Box<dyn std::error::Error>> {
        Ok(Reply(4))
    }
}

fn main() {
    assert_eq!(literal().0, 1);
    assert_eq!(constant().unwrap().0, 2);
    assert_eq!(by_path("why").unwrap(), "why");
    by_path("").unwrap_err();
    silent();
    assert_eq!(filtered().err().map(|error| error.0), Some(1));
    drop(filtered_later());
    assert_eq!(filtered_by_path().unwrap_err().0, 3);
    assert!(generic("refused").is_err());
    nearly_known();
    let client = Client { provider: "openai".to_owned(), model: MODEL.to_owned() };
    assert_eq!(client.complete().unwrap().0, 3);
    assert!(client.embed().is_empty());
    drop(client.later());
}
