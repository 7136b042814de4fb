//! The model calls of other crates under each subscriber that logging installs, and with the switch off.

use std::io;
use std::process::exit;

use monitor_runtime::logging::Logging;
use monitor_runtime::{metrics, track_agent, track_model};
use tracing::field::Empty;
use tracing::{Span, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::subprocess::{self, Subprocess, run, total, written};

const PART: Subprocess = Subprocess::new(module_path!(), "part");

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn part() {
    let Some(name) = subprocess::part() else { return };
    let logging = || Logging::builder().writer(io::sink());
    let _guard = match name.as_str() {
        "init" => Some(logging().init().unwrap()),
        "init off" => Some(logging().genai_spans(false).init().unwrap()),
        "filter off" => Some(logging().filter("off").init().unwrap()),
        name => {
            install_layers(name != "layers off");
            None
        }
    };
    plan();
    print!("{}", metrics::render());
    exit(0);
}

/// Installs two layers of ours on one registry.
fn install_layers(read_spans: bool) {
    let logging = || Logging::builder().writer(io::sink()).genai_spans(read_spans);
    let (one, one_guard) = logging().layer().unwrap();
    let (other, other_guard) = logging().layer().unwrap();
    // The process exits by itself.
    std::mem::forget((one_guard, other_guard));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(one).with(other)).unwrap();
}

fn call(model: &str) -> Span {
    info_span!(
        "chat",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openai",
        gen_ai.request.model = model,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
    )
}

fn reply(span: &Span) {
    span.record("gen_ai.usage.input_tokens", 10);
    span.record("gen_ai.usage.output_tokens", 1);
}

#[track_model("tracked", provider = "openai")]
fn tracked() {
    reply(&call("inside"));
}

#[track_agent("planner")]
fn plan() {
    reply(&call("alone"));
    let around = call("around");
    around.in_scope(tracked);
    reply(&around);
    let outer = call("nested");
    outer.in_scope(|| reply(&call("nested")));
    reply(&outer);
}

/// Calls, input and output of the models, and the calls whose usage is not known.
#[track_caller]
fn totals(part: &str) -> [u64; 4] {
    let output = run(&mut PART.command(part));
    let scrape = written(&output);
    let total = |metric: &str| if scrape.contains(metric) { total(scrape, metric) } else { 0 };
    assert_eq!(total("active_model_calls"), 0);
    [
        total("model_calls_total"),
        total("model_input_tokens_total"),
        total("model_output_tokens_total"),
        total("model_usage_unknown_total"),
    ]
}

#[test]
fn initialised_logging_counts_each_call_once() {
    assert_eq!(totals("init"), [3, 30, 3, 0]);
}

#[test]
fn layers_on_a_registry_count_each_call_once() {
    assert_eq!(totals("layers"), [3, 30, 3, 0]);
}

#[test]
fn the_switch_leaves_the_spans_to_others() {
    for part in ["init off", "layers off"] {
        assert_eq!(totals(part), [1, 0, 0, 1], "{part}: only the tracked call");
    }
}

#[test]
fn spans_that_no_filter_opens_are_not_read() {
    assert_eq!(totals("filter off"), [1, 0, 0, 1]);
}
