//! `rig`'s own spans are its model calls: streamed or not, tracked by an attribute as well or not, each counts once.

use futures_util::StreamExt as _;
use monitor_runtime::genai::Usage;
use monitor_runtime::testing::{Recording, capture_logs_async};
use monitor_runtime::{track_agent, track_model};
use rig_agent::agent::{MultiTurnStreamItem, PromptResponse, StreamingResult};
use rig_agent::completion::PromptError;
use rig_agent::{Agent, AgentBuilder};
use rig_core::test_utils::{MockCompletionModel, MockStreamEvent, MockTurn};

/// The model's only reply: 812 tokens in, of which 640 are cached, and 96 out, of which 64 are for reasoning.
fn reported() -> rig_agent::completion::Usage {
    let mut usage = rig_agent::completion::Usage::new().input_tokens(812).output_tokens(96);
    usage.cached_input_tokens = Some(640);
    usage.reasoning_tokens = Some(64);
    usage
}

fn agent(model: MockCompletionModel) -> Agent {
    AgentBuilder::new(model).name("clerk").build()
}

fn blocking() -> Agent {
    agent(MockCompletionModel::from_turns([MockTurn::text("By the sea.").with_usage(reported())]))
}

fn streaming() -> Agent {
    let [before, after] = ["By ", "the sea."].map(MockStreamEvent::text);
    let turn = vec![before, after, MockStreamEvent::final_response(reported())];
    agent(MockCompletionModel::from_stream_turns([turn]))
}

/// The ways to call the model.
#[derive(Clone, Copy, Debug)]
struct Way {
    is_streaming: bool,
    is_tracked: bool,
}

const WAYS: [Way; 4] = [
    Way { is_streaming: false, is_tracked: false },
    Way { is_streaming: false, is_tracked: true },
    Way { is_streaming: true, is_tracked: false },
    Way { is_streaming: true, is_tracked: true },
];

async fn ask(way: Way) {
    match way {
        Way { is_streaming: false, is_tracked: false } => drop(blocking().prompt("Where?").await.unwrap()),
        Way { is_streaming: false, is_tracked: true } => drop(tracked(&blocking()).await.unwrap()),
        Way { is_streaming: true, is_tracked: false } => read(streaming().prompt("Where?").stream()).await,
        Way { is_streaming: true, is_tracked: true } => read(tracked_stream(&streaming())).await,
    }
}

async fn read(mut items: StreamingResult) {
    while let Some(item) = items.next().await {
        item.unwrap();
    }
}

#[track_model("mock-model", provider = "mock", usage = usage)]
async fn tracked(agent: &Agent) -> Result<PromptResponse, PromptError> {
    agent.prompt("Where?").await
}

#[track_model("mock-model", provider = "mock", usage = usage_of_item)]
fn tracked_stream(agent: &Agent) -> StreamingResult {
    agent.prompt("Where?").stream()
}

fn usage(response: &PromptResponse) -> Option<Usage> {
    let reported = &response.usage;
    let usage = Usage::new(reported.input_tokens?, reported.output_tokens?);
    let usage = reported.cached_input_tokens.map_or(usage, |tokens| usage.cached(tokens));
    Some(reported.reasoning_tokens.map_or(usage, |tokens| usage.reasoning(tokens)))
}

fn usage_of_item(item: &MultiTurnStreamItem) -> Option<Usage> {
    match item {
        MultiTurnStreamItem::FinalResponse(response) => usage(response),
        _ => None,
    }
}

#[track_agent("researcher")]
async fn research(way: Way) {
    for _ in 0..3 {
        ask(way).await;
    }
}

#[track_agent("planner")]
async fn plan(way: Way) {
    ask(way).await;
    research(way).await;
}

#[tokio::test]
async fn the_tokens_are_the_sum_of_the_replies_in_every_way() {
    for way in WAYS {
        let recording = Recording::start();
        capture_logs_async(plan(way)).await;
        let of = |agent, metric| recording.value(metric, &[("agent_id", agent)]);
        for (agent, replies) in [("planner", 1.0), ("researcher", 3.0)] {
            assert_eq!(of(agent, "model_input_tokens_total"), replies * 812.0, "{way:?}");
            assert_eq!(of(agent, "model_output_tokens_total"), replies * 96.0, "{way:?}");
            assert_eq!(of(agent, "model_cached_input_tokens_total"), replies * 640.0, "{way:?}");
            assert_eq!(of(agent, "model_reasoning_output_tokens_total"), replies * 64.0, "{way:?}");
        }
        let calls = |status| recording.value("model_calls_total", &[("status", status)]);
        assert_eq!(["success", "error", "panic", "cancelled"].map(calls), [4.0, 0.0, 0.0, 0.0], "{way:?}");
        assert_eq!(recording.value("model_calls_total", &[("model", "mock-model")]), 4.0, "{way:?}");
        assert_eq!(recording.value("model_input_tokens_total", &[]), 4.0 * 812.0, "{way:?}");
        assert_eq!(recording.value("model_usage_unknown_total", &[]), 0.0, "{way:?}");
        assert_eq!(recording.value("active_model_calls", &[]), 0.0, "{way:?}");
    }
}

#[tokio::test]
async fn each_turn_of_a_run_is_a_call_and_the_run_is_none() {
    let recording = Recording::start();
    capture_logs_async(trip_desk::answer("Oslo?")).await;
    let of = |metric| recording.value(metric, &[("agent_id", "trip_planner")]);
    assert_eq!((of("model_input_tokens_total"), of("model_output_tokens_total")), (400.0, 80.0));
    assert_eq!(recording.value("model_calls_total", &[("status", "success")]), 4.0);
}

#[tokio::test]
async fn a_run_outside_of_any_span_is_no_call_either() {
    let recording = Recording::start();
    capture_logs_async(ask(WAYS[0])).await;
    assert_eq!(recording.value("model_input_tokens_total", &[("agent_id", "")]), 812.0);
    assert_eq!(recording.value("model_calls_total", &[]), 1.0);
}

#[tokio::test]
async fn a_model_that_fails_is_an_error_without_usage() {
    let recording = Recording::start();
    capture_logs_async(trip_desk::fail("Rome?")).await;
    assert_eq!(recording.value("model_calls_total", &[("status", "error")]), 1.0);
    assert_eq!(recording.value("model_usage_unknown_total", &[("reason", "failed")]), 1.0);
}
