//! Tokens and cost of the model calls of a run: each once, at the call itself, and their sums.

use std::sync::Arc;
use std::thread;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use monitor_runtime::genai::{
    self, Cost, CostSource, ModelReply, PriceDate, PricedCall, Prices, Pricing, Rate, Usage,
};
use monitor_runtime::run::{self, Node, Run};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{context, track_agent, track_model, track_skill};
use serde_json::Value;
use tracing::field::Empty;

use super::{api, run_of, runs, runs_of};

/// A reply, or a chunk of one.
#[derive(Clone, Copy, Debug, Default)]
struct Reply(Option<Usage>);

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        self.0
    }

    fn model(&self) -> Option<&str> {
        Some("gpt-5-2025-08-07")
    }

    fn finish_reason(&self) -> Option<&str> {
        Some("stop")
    }
}

/// The usage of a call whose cost the provider reports.
fn paid(input: u64, output: u64) -> Usage {
    Usage::new(input, output).cost_usd(0.001)
}

#[track_model("gpt-5", provider = "openai")]
async fn ask(usage: Option<Usage>) -> Result<Reply, String> {
    tokio::task::yield_now().await;
    match usage {
        Some(usage) => Ok(Reply(Some(usage))),
        None => Err("overloaded".to_owned()),
    }
}

/// The sums over the leaves, by hand.
fn sums_of_leaves(run: &Run) -> [u64; 4] {
    let leaves = || run.nodes().iter().filter_map(Node::model);
    let usages = || leaves().filter_map(|call| call.usage());
    [
        usages().filter_map(|usage| usage.input_tokens()).sum(),
        usages().filter_map(|usage| usage.output_tokens()).sum(),
        leaves().filter_map(|call| call.cost()).map(Cost::nanos).sum(),
        leaves().filter(|call| call.usage().is_none()).count() as u64,
    ]
}

fn sums(run: &Run) -> [u64; 4] {
    let (usage, cost) = (run.usage(), run.cost());
    let tokens = [usage.input_tokens(), usage.output_tokens(), cost.nanos()].map(Option::unwrap_or_default);
    [tokens[0], tokens[1], tokens[2], usage.unknown_calls()]
}

#[track_agent("models_researcher")]
async fn research() {
    let _ = futures_util::join!(ask(Some(paid(10, 1))), ask(None));
    context::spawn(ask(Some(paid(20, 2)))).await.unwrap().unwrap();
}

#[track_skill("models_look_up")]
async fn look_up() {
    research().await;
}

#[track_agent("models_planner")]
async fn plan() {
    ask(Some(paid(812, 96).cached(640))).await.unwrap();
    look_up().await;
}

#[tokio::test]
async fn the_sums_of_a_run_are_those_of_its_model_calls() {
    runs();
    plan().await;
    let run = run_of("models_planner");
    assert_eq!(sums(&run), [842, 99, 3_000_000, 1]);
    assert_eq!(sums(&run), sums_of_leaves(&run));
    assert_eq!((run.usage().calls(), run.cost().priced_calls()), (4, 3));
    assert_eq!(run.usage().cached_input_tokens(), Some(640));
    let tree = "\
models_planner ✓ · 4 model calls, ≥ 842 in (640 cached), 99 out (3 of 4 calls known), ≥ $0.003 (3 of 4 calls priced)
├─ model gpt-5 ✓ · 812 in (640 cached), 96 out, $0.001
└─ skill models_look_up ✓
   └─ agent models_researcher ✓
      ├─ model gpt-5 ✓ · 10 in, 1 out, $0.001
      ├─ model gpt-5 ✗ overloaded · usage unknown
      └─ model gpt-5 ✓ attempt 2 · 20 in, 2 out, $0.001";
    assert_eq!(run.to_string(), tree);
}

#[tokio::test]
async fn a_model_call_has_all_that_its_reply_reports() {
    #[track_agent("models_described")]
    async fn described() {
        ask(Some(paid(812, 96).reasoning(64))).await.unwrap();
        let mut call = genai::call("anthropic", "claude");
        call.retry("429", std::time::Duration::from_millis(20));
        call.retry("429", std::time::Duration::from_millis(40));
        call.first_chunk();
        call.fail(&"overloaded");
    }

    runs();
    described().await;
    let run = run_of("models_described");
    let [first, second] = [1, 2].map(|at| run.nodes()[at].model().unwrap());
    assert_eq!((first.provider(), first.request_model()), ("openai", "gpt-5"));
    assert_eq!((first.response_model(), first.finish_reason()), (Some("gpt-5-2025-08-07"), Some("stop")));
    assert_eq!(first.usage().unwrap().reasoning_output_tokens(), Some(64));
    assert_eq!(first.cost().unwrap().source(), CostSource::Provider);
    assert_eq!((first.retries(), first.first_chunk()), (0, None));
    assert_eq!((second.provider(), second.request_model()), ("anthropic", "claude"));
    assert_eq!((second.retries(), second.backoff().as_millis()), (2, 60));
    assert!(second.first_chunk().is_some() && second.usage().is_none() && second.cost().is_none());
    assert!(run.root().model().is_none());
    assert_eq!(run.nodes()[1].operation(), "", "the provider is no operation");
}

#[track_model("gpt-5", provider = "openai")]
fn streamed(pieces: Vec<Result<Reply, String>>) -> impl Stream<Item = Result<Reply, String>> + Unpin {
    stream::iter(pieces)
}

#[track_agent("models_streams")]
async fn stream_in_every_way() {
    let (silent, telling) = (Ok(Reply::default()), Ok(Reply(Some(paid(5, 7)))));
    let failure = || Err("connection reset".to_owned());
    // Dropped before its usage, and after it.
    streamed(vec![silent.clone(), telling.clone()]).next().await.unwrap().unwrap();
    streamed(vec![telling.clone(), silent.clone()]).next().await.unwrap().unwrap();
    // Failed before its usage, and after it.
    assert_eq!(streamed(vec![silent, failure()]).count().await, 2);
    assert_eq!(streamed(vec![telling, failure()]).count().await, 2);
    // Dropped before its reply.
    assert!(ask(Some(paid(1, 1))).now_or_never().is_none());
}

#[tokio::test]
async fn streams_that_are_cut_have_what_they_reported_until_then() {
    runs();
    stream_in_every_way().await;
    let run = run_of("models_streams");
    let tree = "\
models_streams ✓ · 5 model calls, ≥ 10 in, 14 out (2 of 5 calls known), ≥ $0.002 (2 of 5 calls priced)
├─ model gpt-5 ⊘ cancelled 1 items · usage unknown
├─ model gpt-5 ⊘ cancelled attempt 2 1 items · 5 in, 7 out, $0.001
├─ model gpt-5 ✗ connection reset attempt 3 2 items · usage unknown
├─ model gpt-5 ✗ connection reset attempt 4 2 items · 5 in, 7 out, $0.001
└─ model gpt-5 ⊘ cancelled attempt 5 · usage unknown";
    assert_eq!(run.to_string(), tree);
    assert_eq!(sums(&run), sums_of_leaves(&run));
}

#[track_model(model = model, provider = "models-priced")]
async fn ask_for(model: &str, usage: Usage) -> Reply {
    Reply(Some(usage))
}

#[track_agent("models_priced")]
async fn price(models: &[&str]) {
    for model in models {
        ask_for(model, Usage::new(1_000, 10)).await;
    }
}

#[tokio::test]
async fn a_run_without_a_price_is_not_free() {
    runs();
    price(&["before"]).await;
    let before = run_of("models_priced");
    assert_eq!((before.cost().nanos(), &*before.cost().to_string()), (None, "unpriced"));
    assert!(!before.to_string().contains('$'), "{before}");

    let table = Prices::builder("2026-11-01").usd_per_million("models-priced", "known", Rate::io(1.0, 10.0));
    genai::set_pricing(table.build().unwrap());
    price(&["known", "unknown"]).await;
    let run = &runs_of("models_priced")[0];
    assert_eq!(run.cost().nanos(), Some(1_100_000));
    assert_eq!(run.cost().to_string(), "≥ $0.0011 (1 of 2 calls priced)");
    let cost = run.nodes()[1].model().unwrap().cost().unwrap();
    assert_eq!(cost.source(), CostSource::Local { as_of: PriceDate::parse("2026-11-01") });

    price(&["known"]).await;
    let dearest: Vec<_> = runs().dearest("models_priced").iter().map(|run| run.cost().to_string()).collect();
    assert_eq!(dearest.len(), 2, "an unpriced run is not among the dearest: {dearest:?}");
    tokio::task::spawn_blocking(check_prices_of_the_last_calls).await.unwrap();

    genai::set_pricing(Flat);
    for (usage, is_estimate) in [
        (Usage::new(9, 9), false),
        (Usage::default().input(9), true),
        (Usage::default().output(9), true),
        (Usage::new(9, u64::MAX), true),
    ] {
        price_one(usage).await;
        let run = &runs_of("models_estimated")[0];
        assert_eq!(run.nodes()[1].model().unwrap().cost().unwrap().is_estimate(), is_estimate, "{usage:?}");
    }
}

#[track_agent("models_estimated")]
async fn price_one(usage: Usage) {
    ask_for("flat", usage).await;
}

/// Prices that do not look at the usage.
struct Flat;

impl Pricing for Flat {
    fn price(&self, call: &PricedCall<'_>) -> Option<Cost> {
        (call.provider == "models-priced").then_some(Cost::from_nano_usd(5))
    }
}

#[track_model("models-router", provider = "router")]
async fn delegate() -> Result<Reply, String> {
    ask(Some(paid(812, 96))).await
}

#[track_model("models-fetched", provider = "openai", operation = "fetch_response")]
fn fetch() -> Reply {
    Reply(Some(Usage::new(812, 96)))
}

#[track_agent("models_nested", budget(tokens = 1_000))]
async fn plan_by_a_router() {
    delegate().await.unwrap();
    fetch();
}

#[tokio::test]
async fn a_run_has_the_usage_of_nested_and_fetched_calls_once() {
    runs();
    plan_by_a_router().await;
    let run = run_of("models_nested");
    let usages: Vec<_> =
        run.nodes().iter().filter_map(Node::model).map(|call| call.usage().unwrap()).collect();
    let tokens: Vec<_> = usages.iter().map(|usage| usage.input_tokens().unwrap()).collect();
    assert_eq!(tokens, [0, 812, 0]);
    assert_eq!(sums(&run), sums_of_leaves(&run));
    assert_eq!((run.usage().tokens(), run.usage().unknown_calls()), (Some(908), 0));
    assert_eq!(run.cost().priced_calls(), 3, "nothing is unpriced");
    let text = run.to_string();
    assert!(text.contains("812 in") && !text.contains(" 0 in"), "{text}");
}

fn check_prices_of_the_last_calls() {
    let monitor = api::monitor();
    let answer = api::json(&monitor, "models");
    let rows = answer["models"].as_array().unwrap();
    let source = |model: &str| {
        let row = rows.iter().find(|row| row["provider"] == "models-priced" && row["model"] == model);
        ["price_source", "prices_as_of"].map(|name| row.unwrap()[name].clone())
    };
    assert_eq!(source("known"), ["local", "2026-11-01"]);
    assert_eq!(source("unknown"), [Value::Null, Value::Null]);
    let (_, text) = api::ask(&monitor, "models?format=text");
    let row = text.lines().find(|line| line.starts_with("models-priced") && line.contains(" known "));
    assert!(row.unwrap().ends_with("  2026-11-01"), "{text}");
}

/// A reply that may be a refusal.
#[derive(Clone, Copy, Debug)]
struct Answer {
    is_refusal: bool,
}

impl ModelReply for Answer {
    fn is_refusal(&self) -> bool {
        self.is_refusal
    }
}

#[track_model("gpt-5", provider = "openai")]
async fn decide(is_refusal: bool) -> Result<Box<Answer>, String> {
    std::future::ready(Ok(Box::new(Answer { is_refusal }))).await
}

#[track_model("gpt-5", provider = "openai")]
fn decide_piece_by_piece() -> impl Stream<Item = Result<Arc<Answer>, String>> {
    stream::iter([false, true, false].map(|is_refusal| Ok(Arc::new(Answer { is_refusal }))))
}

#[track_agent("models_refusing")]
async fn ask_for_too_much() {
    decide(false).await.unwrap();
    decide(true).await.unwrap();
    assert_eq!(decide_piece_by_piece().count().await, 3);
    let mut call = genai::call("openai", "gpt-5");
    call.refused();
    call.finish("content_filter");
}

#[tokio::test]
async fn a_refusal_is_kept_and_no_error() {
    runs();
    ask_for_too_much().await;
    let run = run_of("models_refusing");
    let calls = || run.nodes().iter().filter_map(Node::model);
    assert_eq!(calls().map(|call| call.is_refusal()).collect::<Vec<_>>(), [false, true, true, true]);
    let tree = "\
models_refusing ✓ · 4 model calls, usage unknown
├─ model gpt-5 ✓ · usage unknown
├─ model gpt-5 ✓ refused · usage unknown
├─ model gpt-5 ✓ refused 3 items · usage unknown
└─ model gpt-5 ✓ refused · usage unknown";
    assert_eq!(run.to_string(), tree);
}

#[track_agent("models_many")]
async fn ask_often(times: u64) {
    for _ in 0..times {
        ask(Some(paid(3, 1))).await.unwrap();
        // Gives the recorder time to read, as the time of a real model call does.
        runs().figures();
    }
}

#[tokio::test]
async fn calls_beyond_the_nodes_of_a_run_are_in_its_sums() {
    runs();
    ask_often(2_100).await;
    let run = run_of("models_many");
    assert!(!run.is_incomplete());
    assert_eq!(run.nodes().len(), 2_000);
    let [rolled_up] = run.rolled_up() else { panic!("{:?}", run.rolled_up()) };
    assert_eq!((rolled_up.calls(), rolled_up.usage().input_tokens()), (101, Some(303)));
    assert_eq!(sums(&run), [6_300, 2_100, 2_100_000_000, 0]);
    assert!(run.to_string().ends_with("└─ model gpt-5 × 101 · 303 in, 101 out, $0.101"));
}

#[track_agent("models_current")]
async fn watches_itself() {
    let current = || run::current().unwrap();
    assert_eq!((current().model_calls(), current().usage().calls()), (0, 0));
    ask(Some(paid(812, 96))).await.unwrap();
    assert_eq!(current().usage().tokens(), Some(908), "at once");
    // On another thread, and while a call goes on.
    let context = context::current();
    let call = genai::call("openai", "gpt-5");
    let there = thread::spawn(move || context.in_scope(|| run::current().map(|run| run.usage()))).join();
    assert_eq!(there.unwrap().unwrap().tokens(), Some(908));
    assert_eq!((current().model_calls(), current().cost().calls()), (2, 1));
    drop(call);
    assert_eq!(current().cost().to_string(), "≥ $0.001 (1 of 2 calls priced)");
    assert_eq!(current().skill_calls(), 0);
}

#[tokio::test]
async fn code_inside_a_run_sees_what_it_has_used_so_far() {
    runs();
    watches_itself().await;
    let run = run_of("models_current");
    assert_eq!((run.usage().tokens(), run.usage().unknown_calls()), (Some(908), 1));
}

/// Opens a span as frameworks do for their calls.
fn span_of_a_framework() -> tracing::Span {
    tracing::info_span!(
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openai",
        gen_ai.request.model = "gpt-5",
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
}

/// Makes the call of a framework.
fn call_of_a_framework(usage: Option<[u64; 2]>) {
    let span = span_of_a_framework();
    if let Some([input, output]) = usage {
        span.record("gen_ai.usage.input_tokens", input);
        span.record("gen_ai.usage.output_tokens", output);
    }
}

#[track_model("gpt-5", provider = "openai")]
fn ask_by_a_framework() {
    call_of_a_framework(Some([20, 2]));
}

#[track_agent("models_framework")]
fn plan_by_a_framework() {
    call_of_a_framework(Some([10, 1]));
    call_of_a_framework(None);
    ask_by_a_framework();
}

#[test]
fn spans_of_a_framework_are_model_calls_of_the_run() {
    runs();
    capture_logs(plan_by_a_framework);
    let run = run_of("models_framework");
    let nodes: Vec<_> = run.nodes().iter().map(|node| (node.parent(), node.kind(), node.name())).collect();
    let call = (Some(0), "model", "gpt-5");
    assert_eq!(nodes, [(None, "agent", "models_framework"), call, call, call]);
    let usages: Vec<_> = run.nodes().iter().filter_map(Node::model).map(|call| call.usage()).collect();
    assert_eq!(usages, [Some(Usage::new(10, 1)), None, Some(Usage::new(20, 2))]);
    assert_eq!(sums(&run), [30, 3, 0, 1]);
}

#[track_agent("models_around", budget(model_calls = 1))]
fn plan_around() {
    let around = span_of_a_framework();
    let _entered = around.enter();
    track_inside();
    assert_eq!(run::current().unwrap().model_calls(), 1);
    run::note("after the call");
}

#[track_model("gpt-5-inside", provider = "openai", usage = |(): &()| Some(Usage::new(20, 2)))]
fn track_inside() {
    look_inside();
}

#[track_skill("models_look")]
fn look_inside() {}

#[test]
fn a_span_around_a_tracked_call_leaves_no_node() {
    let recording = Recording::with_runs();
    capture_logs(plan_around);
    let run = run_of("models_around");
    assert_eq!(
        run.to_string(),
        "models_around ✓ · 1 model call, 20 in, 2 out, unpriced\n\
         ├─ model gpt-5-inside ✓ · 20 in, 2 out, unpriced\n\
         │  └─ skill models_look ✓\n\
         └─ • after the call"
    );
    assert_eq!(run.passed_limits().count(), 0);
    let labels = [("agent_id", "models_around")];
    assert_eq!(recording.value("agent_model_calls_sum", &labels), 1.0);
}

#[track_model("gpt-5", provider = "openai")]
fn ask_inside_a_span() {}

#[track_agent("models_inside_a_span", budget(tokens = 100))]
fn plan_inside_a_span() {
    let span = span_of_a_framework();
    span.in_scope(ask_inside_a_span);
    span.record("gen_ai.usage.input_tokens", 10);
    span.record("gen_ai.usage.output_tokens", 1);
    drop(span);
    assert_eq!(run::current().unwrap().usage().tokens(), Some(11));
}

#[test]
fn a_call_inside_the_span_of_a_framework_has_its_usage_in_the_run() {
    runs();
    capture_logs(plan_inside_a_span);
    let run = run_of("models_inside_a_span");
    let usages: Vec<_> = run.nodes().iter().filter_map(Node::model).map(|call| call.usage()).collect();
    assert_eq!(usages.last(), Some(&Some(Usage::new(10, 1))), "{run}");
    assert_eq!(run.usage().tokens(), Some(11));
}

#[track_skill("models_inner")]
async fn look_up_later() {
    ask_later().await;
}

#[track_model("models-later", provider = "openai")]
async fn ask_later() -> Reply {
    tokio::task::yield_now().await;
    Reply(Some(Usage::new(10, 1)))
}

/// The recorder starts inside.
#[track_agent("models_main")]
async fn main_agent() {
    runs();
    look_up_later().await;
    ask_later().await;
}

#[tokio::test]
async fn an_agent_that_began_before_the_recorder_keeps_its_model_calls() {
    let recording = Recording::start();
    main_agent().await;
    let labels = [("agent_id", "models_main"), ("model", "models-later")];
    assert_eq!(recording.value("model_input_tokens_total", &labels), 20.0);
}
