//! The language model that writes answers: one behind an endpoint with OpenAI's interface, or none, which quotes.

mod address;
mod connection;
mod reply;

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use monitor_runtime::track_model;
use serde_json::{Value, json};

pub(crate) use address::Address;
pub(crate) use connection::ModelError;

use crate::markdown::Passage;
use crate::question::Question;
use connection::Connection;
use reply::{Chunk, chunks};

/// The longest answer, in bytes. A model that goes on is cut off.
const LONGEST_ANSWER: usize = 64 * 1024;

const INSTRUCTIONS: &str = "Answer the question from the notes alone, in at most five sentences. \
    If the notes do not answer it, say so.";

/// The writer of answers.
#[derive(Clone, Debug)]
pub(crate) enum Model {
    /// Quotes the notes.
    Quotes,
    /// Asks a language model.
    Endpoint(Arc<Endpoint>),
}

/// A language model behind an address.
#[derive(Debug)]
pub(crate) struct Endpoint {
    connection: Connection,
    provider: String,
    name: String,
}

impl Model {
    /// The model of this name at the address, or the first one that the address lists.
    pub(crate) async fn find(address: &Address, name: Option<&str>) -> Result<Self, ModelError> {
        let connection = Connection::to(address)?;
        let name = match name {
            Some(name) => name.to_owned(),
            None => first_listed(&connection).await?,
        };
        tracing::info!(model = name, address = %address, "answers are written by a language model");
        let provider = address.provider().to_owned();
        Ok(Self::Endpoint(Arc::new(Endpoint { connection, provider, name })))
    }

    /// Writes an answer from passages of the notes.
    pub(crate) async fn write(
        &self,
        question: &Question,
        passages: &[&Passage],
    ) -> Result<String, ModelError> {
        match self {
            Self::Quotes => Ok(quote(passages)),
            Self::Endpoint(endpoint) => endpoint.write(question, passages).await,
        }
    }
}

/// Quotes the passages, each as a paragraph.
///
/// It is tracked as a model so that each answer has one. It has no tokens, so it reports no usage: words would count something
/// else under the same name, and 0 would be a model that is free.
#[track_model("quotes", provider = "local")]
fn quote(passages: &[&Passage]) -> String {
    passages.iter().map(|passage| passage.body.as_str()).collect::<Vec<_>>().join("\n\n")
}

impl Endpoint {
    async fn write(&self, question: &Question, passages: &[&Passage]) -> Result<String, ModelError> {
        let notes: Vec<_> = passages.iter().map(|passage| passage.in_full()).collect();
        let asked = format!("{}\n\nThe notes:\n\n{}", question.text(), notes.join("\n\n"));
        let mut chunks = self.complete(&asked).await?;
        let mut answer = String::new();
        while let Some(chunk) = chunks.next().await {
            answer.push_str(&chunk?.text);
            if answer.len() > LONGEST_ANSWER {
                return Err(self.connection.nonsense("its answer has no end"));
            }
        }
        let answer = answer.trim();
        if answer.is_empty() {
            Err(self.connection.nonsense("its answer is empty"))
        } else {
            Ok(answer.to_owned())
        }
    }

    /// Asks the model. The usage is in the last chunk, since the request asks for it.
    #[track_model(provider = self.provider, model = self.name)]
    async fn complete(
        &self,
        asked: &str,
    ) -> Result<BoxStream<'static, Result<Chunk, ModelError>>, ModelError> {
        let request = json!({
            "model": self.name,
            "messages": [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": asked}],
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        let body = self.connection.post("/chat/completions", &request).await?;
        Ok(chunks(body).boxed())
    }
}

async fn first_listed(connection: &Connection) -> Result<String, ModelError> {
    let listed: Value = connection.get("/models").await?;
    let name = listed["data"][0]["id"].as_str().map(str::to_owned);
    name.ok_or_else(|| connection.nonsense("it lists no model; name one with --model-name"))
}
