//! The tracked runs of the agent.
//!
//! Without a span around it, `rig` opens one of its own for a run, `invoke_agent`, and records on it who was asked, what, and
//! at the cost of how many tokens. Inside a span, and a tracked call is one, `rig` takes that for the run's: it opens none,
//! and records the prompt on the one it found. A span takes only the fields that it was opened with, so the attribute
//! declares `rig`'s among its own; the tokens, which `rig` leaves to whose span it is, are recorded here.

use futures_util::StreamExt as _;
use monitor_runtime::track_agent;
use rig_agent::agent::{MultiTurnStreamItem, StreamingResult};
use rig_agent::completion::{PromptError, Usage};
use rig_agent::{Agent, AgentBuilder};
use rig_core::telemetry::SpanCombinator as _;
use rig_core::test_utils::MockCompletionModel;
use tracing::field::Empty;
use tracing::{Span, info};

use crate::tools::{AskAirline, BookHotel, Convert, Forecast};

/// What `rig` calls the agent.
const NAME: &str = "trip_desk";

/// The agent, on the given model.
pub(crate) fn desk(model: MockCompletionModel) -> Agent {
    AgentBuilder::new(model)
        .name(NAME)
        .preamble("You plan trips. Be brief.")
        // Puts prompts and arguments onto spans, and so onto log lines: not for prompts that are nobody else's business.
        .record_content_telemetry(true)
        .default_max_turns(8)
        .tool(Forecast)
        .tool(Convert)
        .tool(BookHotel)
        .tool(AskAirline)
        .build()
}

/// Plans a trip.
///
/// # Errors
///
/// When the model fails; a tool that fails is the model's to deal with.
#[track_agent(
    "trip_planner",
    fields(
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = NAME,
        gen_ai.prompt = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
)]
pub(crate) async fn plan(agent: &Agent, wish: &str) -> Result<String, PromptError> {
    let response = agent.prompt(wish).await?;
    note("trip planned", &response.usage);
    Ok(response.output())
}

/// Tells about a place, piece by piece.
#[track_agent(
    "trip_narrator",
    fields(
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = NAME,
        gen_ai.prompt = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
)]
pub(crate) fn narrate(agent: &Agent, wish: &str) -> StreamingResult {
    let pieces = agent.prompt(wish).stream().inspect(|piece| {
        if let Ok(MultiTurnStreamItem::FinalResponse(response)) = piece {
            note("trip told", &response.usage);
        }
    });
    pieces.boxed()
}

/// Records the tokens of a run on the span of its call, as `rig` does on a span of its own.
fn note(event: &str, usage: &Usage) {
    Span::current().record_token_usage(usage);
    info!("{event}");
}
