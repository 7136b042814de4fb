//! Families are bounded: what has no room is recorded under `__overflow__`, counted and warned of.

use std::time::Duration;

use monitor_runtime::genai::{self, Prices, Rate, Usage};
use monitor_runtime::run::{self, Node};
use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{metrics, track_agent, track_model, track_query};

use crate::support::subprocess::in_own_process;

#[track_agent(id = id)]
fn agent(id: &str) {}

#[track_query(id = id, operation = "select")]
fn query(id: &str) {}

#[test]
fn a_family_past_its_limit_uses_overflow_and_warns_once() {
    in_own_process(|| {
        metrics::builder().series_limit(3).init().unwrap();
        let recording = Recording::start();
        let logs = capture_logs(|| {
            for id in ["a", "b", "c", "d", "e", "a"] {
                agent(id);
            }
        });

        let total =
            |id| recording.value("agent_executions_total", &[("agent_id", id), ("status", "success")]);
        assert_eq!([total("a"), total("b"), total("c")], [2.0, 1.0, 1.0]);
        assert_eq!([total("d"), total("e"), total("__overflow__")], [0.0, 0.0, 2.0]);
        let overflowed = |metric| recording.value("monitor_series_overflow_total", &[("metric", metric)]);
        assert_eq!(overflowed("agent_executions_total"), 2.0);
        let warnings: Vec<_> =
            logs.iter().filter(|line| line["metric"] == "agent_executions_total").collect();
        assert_eq!(warnings.len(), 1, "{logs:?}");
        assert_eq!(warnings[0]["level"], "warn");

        // Each family has room of its own, and a value that is too long has none anywhere.
        query("a");
        query(&"x".repeat(257));
        assert_eq!(overflowed("db_queries_total"), 1.0);
        let labels = [("operation", "__overflow__"), ("query", "__overflow__"), ("status", "success")];
        assert_eq!(recording.value("db_queries_total", &labels), 1.0);
        assert_eq!(recording.value("db_queries_total", &[("query", "a")]), 1.0);
    });
}

#[track_model(model = model, provider = "openai", usage = usage)]
fn complete(model: &str) -> u64 {
    model.len() as u64
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    reason = "the option `usage` asks for it"
)]
fn usage(tokens: &u64) -> Option<Usage> {
    Some(Usage::new(*tokens, 1))
}

#[test]
fn models_made_up_at_run_time_are_bounded_and_their_tokens_kept() {
    in_own_process(|| {
        metrics::builder().series_limit(2).init().unwrap();
        let recording = Recording::start();
        for model in ["a", "b", "c", "d"] {
            complete(model);
        }
        let of = |metric, model| recording.value(metric, &[("model", model)]);
        assert_eq!(of("model_calls_total", "a"), 1.0);
        assert_eq!(of("model_calls_total", "__overflow__"), 2.0);
        assert_eq!(of("model_input_tokens_total", "a"), 1.0);
        assert_eq!(of("model_input_tokens_total", "__overflow__"), 2.0);
        assert_eq!(recording.value("model_input_tokens_total", &[]), 4.0);
    });
}

#[track_model("literal", provider = "openai", usage = usage)]
fn complete_by_literals() -> u64 {
    1
}

#[track_model(provider = provider, model = model, usage = usage)]
fn complete_of(provider: &str, model: &str) -> u64 {
    model.len() as u64
}

/// The labels are bounded; the prices, the warnings and the spans have the names.
#[test]
fn a_model_without_room_keeps_its_name_and_its_price() {
    in_own_process(|| {
        metrics::builder().series_limit(1).init().unwrap();
        let long = "x".repeat(300);
        let table = Prices::builder("2026-11-01")
            .usd_per_million("openai", "gpt-5*", Rate::io(1e6, 0.0))
            .usd_per_million("openai", "literal", Rate::io(1e6, 0.0))
            .usd_per_million("openai", &long, Rate::io(1e6, 0.0));
        genai::set_pricing(table.build().unwrap());
        let recording = Recording::start();
        let lines = capture_logs(|| {
            complete("gpt-5");
            complete("gpt-5-ft-2001");
            complete(&long);
            complete_of("openai", "gpt-5-ft");
            complete_by_literals();
            complete_of("mistral", "large");
            let mut call = genai::call("openai", "gpt-5-guarded");
            call.usage(Usage::new(1, 1));
            call.retry("429", Duration::ZERO);
            call.finish("stop");
        });
        let of = |metric, model| recording.value(metric, &[("model", model)]);
        // Each token of the input costs a dollar.
        let overflow = "gpt-5-ft-2001".len() + 300 + "gpt-5-ft".len() + 1 + 1;
        assert_eq!(of("model_cost_usd_total", "gpt-5"), 5.0);
        assert_eq!(of("model_cost_usd_total", "__overflow__"), overflow as f64);
        assert_eq!(of("model_unpriced_tokens_total", "__overflow__"), 6.0);
        let lacking: Vec<_> =
            lines.iter().filter(|line| line["event"].as_str().unwrap().contains("lack a model")).collect();
        assert_eq!(lacking.len(), 1, "{lines:?}");
        assert_eq!((&lacking[0]["provider"], &lacking[0]["model"]), (&"mistral".into(), &"large".into()));
    });
}

#[track_agent("overflow_asker")]
fn ask() {
    complete("named");
    complete("without room");
}

#[test]
fn a_model_without_room_has_its_name_in_its_run() {
    in_own_process(|| {
        metrics::builder().series_limit(1).init().unwrap();
        let runs = run::builder().start().unwrap();
        ask();
        let kept = runs.newest();
        let calls = kept[0].nodes().iter().filter_map(Node::model);
        let names: Vec<_> = calls.map(|call| (call.provider(), call.request_model())).collect();
        assert_eq!(names, [("openai", "named"), ("openai", "without room")]);
    });
}

#[track_model(provider = "openai", model = model, record(model))]
async fn complete_slowly(model: &str) {
    tokio::task::yield_now().await;
}

#[track_agent("overflow_joiner")]
async fn ask_at_once() {
    complete("named");
    tokio::join!(complete_slowly("first"), complete_slowly("second"));
    drop(complete_slowly("never begun"));
}

/// The names and the contents of a prepared call wait in one place.
#[test]
fn models_without_room_at_once_keep_their_names_and_contents() {
    in_own_process(|| {
        metrics::builder().series_limit(1).init().unwrap();
        let runs = run::builder().start().unwrap();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(ask_at_once());
        let kept = runs.newest();
        let calls = kept[0].nodes().iter().filter_map(|node| Some((node.model()?, node.content("model"))));
        let seen: Vec<_> = calls.map(|(call, content)| (call.request_model(), content)).collect();
        let both = [("first", Some("\"first\"")), ("second", Some("\"second\""))];
        assert_eq!(seen, [("named", None), both[0], both[1]]);
    });
}
