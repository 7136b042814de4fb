//! The agent.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use monitor_runtime::{track_agent, track_skill};
use tokio::time::sleep;
use tonic::{Request, Response, Status};
use tracing::info;

use crate::pb::{Answer, Answers, Assistant, Question};

/// Answers questions, and waits for the answer to the last one.
#[derive(Clone, Copy, Debug)]
pub struct Agent;

#[tonic::async_trait]
impl Assistant for Agent {
    async fn ask(&self, request: Request<Question>) -> Result<Response<Answer>, Status> {
        let text = answer(request.into_inner().text).await?;
        Ok(Response::new(Answer { text }))
    }

    async fn recite(&self, request: Request<Question>) -> Result<Response<Answers>, Status> {
        let text = answer(request.into_inner().text).await?;
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        let words = stream::iter(words).map(|word| {
            // The last word of a bad answer is a status, in the trailers of the response.
            if word == "alas" {
                Err(Status::data_loss("the rest is lost"))
            } else {
                Ok(Answer { text: word })
            }
        });
        Ok(Response::new(words.boxed()))
    }
}

/// Answers a question.
#[track_agent("assistant", fields(question = text.len()))]
async fn answer(text: String) -> Result<String, Status> {
    if text.is_empty() {
        return Err(Status::invalid_argument("no question"));
    }
    let answer = think(&text).await;
    info!(words = answer.split_whitespace().count(), "answered");
    Ok(answer)
}

/// Thinks for longer about "wait" than about anything else.
#[track_skill("think")]
async fn think(text: &str) -> String {
    let patience = if text.contains("wait") { Duration::from_millis(700) } else { Duration::from_millis(1) };
    sleep(patience).await;
    format!("you said {text}")
}
