//! The language model's answers: `rig`'s scripted model, in place of a provider's.

use rig_agent::completion::Usage;
use rig_core::test_utils::{MockCompletionModel, MockStreamEvent, MockTurn};
use serde_json::{Value, json};

/// Calls three tools, of which one fails, and answers.
pub(crate) fn plans() -> MockCompletionModel {
    MockCompletionModel::from_turns([
        calls("call-1", "forecast", json!({"city": "Oslo"})),
        calls("call-2", "convert", json!({"euros": 50.0})),
        calls("call-3", "book_hotel", json!({"city": "Oslo"})),
        MockTurn::text("Walk to the opera; 575 kroner are enough for a day.").with_usage(usage()),
    ])
}

/// Fails.
pub(crate) fn fails() -> MockCompletionModel {
    MockCompletionModel::from_turns([MockTurn::error("the model is overloaded")])
}

/// Calls the tool that never answers.
pub(crate) fn waits() -> MockCompletionModel {
    MockCompletionModel::from_turns([calls("call-4", "ask_airline", json!({"city": "Bergen"}))])
}

/// Calls a tool, and then answers in pieces.
pub(crate) fn tells() -> MockCompletionModel {
    let call = MockStreamEvent::tool_call("call-5", "forecast", json!({"city": "Oslo"}));
    let [before, after] = ["It is sunny, ", "as always."].map(MockStreamEvent::text);
    let end = || MockStreamEvent::final_response(usage());
    MockCompletionModel::from_stream_turns([vec![call, end()], vec![before, after, end()]])
}

fn calls(id: &str, tool: &str, arguments: Value) -> MockTurn {
    MockTurn::tool_call(id, tool, arguments).with_usage(usage())
}

/// The tokens of each answer.
fn usage() -> Usage {
    Usage::new().input_tokens(100).output_tokens(20)
}
