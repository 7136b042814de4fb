//! The tracked runs of the agent.
//!
//! Without a span around it, `rig` opens its own span `invoke_agent` for a run, and records on it the agent, the prompt and the
//! number of tokens. Inside a span, such as that of a tracked call, `rig` uses that span for the run and records the prompt on it.
//! A span accepts only the fields that it was opened with, so the attribute declares `rig`'s fields among its own. `rig` leaves the
//! tokens to the owner of the span, so they are recorded here.

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

/// The agent's name in `rig`.
const NAME: &str = "trip_desk";

/// The agent, on the given model.
pub(crate) fn desk(model: MockCompletionModel) -> Agent {
    AgentBuilder::new(model)
        .name(NAME)
        .preamble("You plan trips. Be brief.")
        // Puts prompts and arguments onto spans, and so onto log lines: not for confidential prompts.
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
/// If the model fails. A failed tool is reported to the model instead.
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

/// Describes a place, piece by piece.
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

/// Records the tokens of a run on the span of its call, as `rig` does on its own span.
fn note(event: &str, usage: &Usage) {
    Span::current().record_token_usage(usage);
    info!("{event}");
}
