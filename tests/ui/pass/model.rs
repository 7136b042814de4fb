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
    let client = Client { provider: "openai".to_owned(), model: MODEL.to_owned() };
    assert_eq!(client.complete().unwrap().0, 3);
    assert!(client.embed().is_empty());
    drop(client.later());
}
