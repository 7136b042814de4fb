//! Trees of calls of every kind, on every way out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use monitor_runtime::genai;
use monitor_runtime::run::{self, RunsError};
use monitor_runtime::{Classify, Outcome, context, track_agent, track_model, track_query, track_skill};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::{run_of, runs, runs_of};

#[track_skill("runs_search")]
fn search(found: bool) -> Result<u8, String> {
    if found { Ok(7) } else { Err("nothing found".to_owned()) }
}

#[track_query("runs_find", operation = "select")]
async fn find() -> u8 {
    tokio::task::yield_now().await;
    1
}

#[track_agent("runs_helper")]
async fn help() -> u8 {
    find().await
}

#[track_agent("runs_planner")]
async fn plan() -> Result<u8, String> {
    let _ = search(false);
    let found = search(true)?;
    Ok(found + help().await)
}

#[tokio::test]
async fn every_call_inside_an_agent_is_a_node_under_its_caller() {
    runs();
    plan().await.unwrap();
    let run = run_of("runs_planner");
    let tree = "\
runs_planner ✓
├─ skill runs_search ✗ nothing found
├─ skill runs_search ✓ attempt 2
└─ agent runs_helper ✓
   └─ query runs_find ✓";
    assert_eq!(run.to_string(), tree);
    assert_eq!((run.outcome(), run.has_ended(), run.is_incomplete()), (Some(Outcome::Success), true, false));
    assert!(run.has_failed_step());
    assert_eq!(run.nodes()[4].operation(), "select");
    assert!(run.nodes().iter().all(|node| node.start() + node.duration().unwrap() <= run.duration()));
    assert!(runs_of("runs_helper").is_empty(), "an agent inside another is a node, not a run");
}

#[track_model("runs-gpt", provider = "openai")]
async fn ask() -> u8 {
    tokio::task::yield_now().await;
    1
}

#[track_agent("runs_asker")]
async fn ask_twice() {
    ask().await;
    genai::call("openai", "runs-guarded").finish("stop");
}

#[tokio::test]
async fn model_calls_are_nodes_named_by_their_model() {
    runs();
    ask_twice().await;
    let tree = "\
runs_asker ✓ · 2 model calls, usage unknown
├─ model runs-gpt ✓ · usage unknown
└─ model runs-guarded ✓ · usage unknown";
    assert_eq!(run_of("runs_asker").to_string(), tree);
}

#[track_agent("runs_panics")]
fn panics() {
    let _ = search(true);
    panic!("out of cheese");
}

#[test]
fn a_panic_and_the_calls_before_it_are_kept() {
    runs();
    catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    assert_eq!(run_of("runs_panics").to_string(), "runs_panics ✗ panic\n└─ skill runs_search ✓");
    assert_eq!(runs().failed("runs_panics").len(), 1);
}

#[track_skill("runs_waits")]
async fn wait() {
    std::future::pending::<()>().await;
}

#[track_agent("runs_cancelled")]
async fn is_cancelled() {
    wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_with_its_open_calls() {
    runs();
    let _ = tokio::time::timeout(Duration::from_secs(1), is_cancelled()).await;
    let tree = "runs_cancelled ⊘ cancelled\n└─ skill runs_waits ⊘ cancelled";
    assert_eq!(run_of("runs_cancelled").to_string(), tree);
}

struct Refusal;

impl Classify for Refusal {
    fn outcome(&self) -> Outcome {
        Outcome::Error
    }
}

#[track_skill("runs_refuses")]
fn refuse() -> Refusal {
    Refusal
}

#[track_agent("runs_refused")]
fn is_refused() {
    refuse();
}

#[test]
fn a_value_that_is_judged_an_error_says_so() {
    runs();
    is_refused();
    let run = run_of("runs_refused");
    assert_eq!(run.to_string(), "runs_refused ✓\n└─ skill runs_refuses ✗ returned Ok");
    assert!(run.nodes()[1].is_judged());
}

#[track_agent("runs_streams")]
fn tell(words: u8) -> impl Stream<Item = u8> {
    stream::iter(0..words)
}

#[tokio::test]
async fn a_stream_tells_its_items_and_the_first_of_them() {
    runs();
    tell(3).collect::<Vec<_>>().await;
    let run = run_of("runs_streams");
    assert_eq!(run.to_string(), "runs_streams ✓ 3 items");
    assert!(run.root().first_item().unwrap() <= run.duration());
}

#[track_agent("runs_streams_errors")]
fn tell_in_vain() -> impl Stream<Item = Result<u8, String>> {
    stream::iter([Ok(1), Err("out of words".to_owned()), Err("out of ink".to_owned())])
}

#[tokio::test]
async fn a_run_ends_whose_stream_yields_errors() {
    runs();
    tell_in_vain().collect::<Vec<_>>().await;
    let run = run_of("runs_streams_errors");
    assert_eq!((run.has_ended(), run.outcome()), (true, Some(Outcome::Error)));
}

#[track_agent("runs_shows_step")]
async fn step(gate: oneshot::Receiver<()>) {
    held(gate).await;
}

#[track_skill("runs_held")]
async fn held(gate: oneshot::Receiver<()>) {
    gate.await.unwrap();
}

#[tokio::test]
async fn a_run_is_seen_while_it_goes_on() {
    let (open, gate) = oneshot::channel();
    let runs = runs();
    let task = tokio::spawn(step(gate));
    let seen = loop {
        let running = runs.running().into_iter().find(|run| run.agent() == "runs_shows_step");
        match running.filter(|run| run.nodes().len() == 2) {
            Some(run) => break run,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(seen.to_string(), "runs_shows_step …\n└─ skill runs_held …");
    assert_eq!((seen.outcome(), seen.has_ended()), (None, false));
    assert_eq!(runs.find(seen.id()).len(), 1);
    open.send(()).unwrap();
    task.await.unwrap();
    let ended = run_of("runs_shows_step");
    assert_eq!(ended.id(), seen.id());
    assert!(ended.nodes()[1].waiting() > Duration::ZERO);
}

#[track_agent("runs_spreads")]
async fn spread() {
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        tasks.spawn(context::carry(async { search(true) }));
    }
    while tasks.join_next().await.is_some() {}
    let here = context::current();
    tokio::task::spawn_blocking(move || here.in_scope(|| search(true))).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_on_other_threads_belong_to_the_run_that_carried_them() {
    runs();
    spread().await;
    let run = run_of("runs_spreads");
    assert_eq!(run.children(0).count(), 4);
    assert_eq!(run.nodes().len(), 5);
}

#[track_agent("runs_lets_go")]
async fn let_go(gate: oneshot::Receiver<()>) -> tokio::task::JoinHandle<()> {
    context::spawn(held(gate))
}

#[tokio::test]
async fn a_call_that_outlives_its_parent_is_detached_and_ends_the_run() {
    let runs = runs();
    let (open, gate) = oneshot::channel();
    let task = let_go(gate).await;
    tokio::task::yield_now().await;
    assert!(runs_of("runs_lets_go").is_empty(), "the run goes on");
    open.send(()).unwrap();
    task.await.unwrap();
    let run = run_of("runs_lets_go");
    assert_eq!(run.to_string(), "runs_lets_go ✓\n└─ skill runs_held ✓ detached");
    assert_eq!(runs.find(run.id()).len(), 1);
}

#[track_agent("runs_many")]
fn make_many(calls: usize) {
    for at in 0..calls {
        let _ = search(at % 10 > 0);
        if at % 500 == 0 {
            // The recorder reads, however busy the machine is.
            runs().figures();
        }
    }
}

#[test]
fn calls_beyond_two_thousand_are_summed_exactly() {
    runs();
    make_many(2_999);
    let run = run_of("runs_many");
    assert_eq!(run.nodes().len(), 2_000);
    let [calls] = run.rolled_up() else { panic!("{run}") };
    // One node is the agent's own.
    assert_eq!((calls.name(), calls.calls(), calls.failures()), ("runs_search", 1_000, 100));
    assert_eq!(calls.parent(), 0);
    assert!(run.to_string().ends_with("└─ skill runs_search × 1000, 100 failed"));
}

#[track_agent("runs_current")]
fn who_am_i() -> (run::RunId, &'static str, u32) {
    let _ = search(true);
    let current = run::current().unwrap();
    (current.id(), current.agent(), current.skill_calls())
}

#[test]
fn code_inside_a_run_can_ask_for_it() {
    runs();
    assert!(run::current().is_none());
    let (id, agent, skill_calls) = who_am_i();
    assert_eq!((agent, skill_calls), ("runs_current", 1));
    assert_eq!(run_of("runs_current").id(), id);
    assert!(run::current().is_none());
}

#[test]
fn settings_that_cannot_be_met_are_refused() {
    runs();
    let error = run::builder().memory(1).start().unwrap_err();
    assert_eq!(error.to_string(), "the recorder of runs was given 1 bytes; give it at least 2097152");
    let error = run::builder().memory(4 << 20).start().unwrap_err();
    assert!(matches!(error, RunsError::AlreadyStarted { given: 4_194_304, in_use: 16_777_216 }), "{error}");
}

#[test]
fn every_ended_run_is_kept_or_evicted() {
    let figures = runs().figures();
    assert_eq!(figures.kept as u64 + figures.evicted, figures.ended);
    assert!(figures.bytes <= figures.memory, "{figures:?}");
    assert_eq!((figures.lost, figures.lost_events), (0, 0));
}
