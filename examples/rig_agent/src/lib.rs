//! A desk that plans trips: a `rig` agent whose runs, tools and streams are tracked.
//!
//! `agent` has the tracked runs, and shows how `rig`'s own data about a run gets onto its log lines. `tools` has the tracked tools,
//! in each form that `rig` accepts. `model` is a script in place of a language model.

mod agent;
mod model;
mod tools;

use std::time::Duration;

use futures_util::StreamExt as _;
use rig_agent::agent::StreamingResult;
use tokio::time::timeout;
use tracing::{info, warn};

use agent::{desk, narrate, plan};

/// Time limit of a customer for a plan.
const PATIENCE: Duration = Duration::from_millis(100);

/// Serves a few customers, one after the other; each meets another case.
pub async fn run() {
    answer("A day in Oslo for 50 euros?").await;
    fail("A day in Rome?").await;
    give_up("A flight to Bergen?").await;
    tell("Tell me about Oslo.").await;
    hang_up("Tell me about Bergen.").await;
}

/// The agent uses two tools that work and one that fails, and still answers.
pub async fn answer(wish: &str) {
    if let Ok(plan) = plan(&desk(model::plans()), wish).await {
        info!(plan, "answered");
    } else {
        warn!("no plan today");
    }
}

/// The model fails, and so does the agent.
pub async fn fail(wish: &str) {
    if plan(&desk(model::fails()), wish).await.is_err() {
        info!("asked to come back tomorrow");
    }
}

/// The agent calls a tool that never answers, until the customer has waited long enough.
pub async fn give_up(wish: &str) {
    if timeout(PATIENCE, plan(&desk(model::waits()), wish)).await.is_err() {
        info!("the customer has left");
    }
}

/// The agent answers piece by piece.
pub async fn tell(wish: &str) {
    let pieces = told(wish).filter(|piece| std::future::ready(piece.is_ok())).count().await;
    info!(pieces, "told");
}

/// As [`tell`], but the customer drops the stream after the first piece.
pub async fn hang_up(wish: &str) {
    if told(wish).next().await.is_some() {
        info!("the customer has hung up");
    }
}

fn told(wish: &str) -> StreamingResult {
    narrate(&desk(model::tells()), wish)
}
