//! Random programs of calls, against a tree that is built by the test itself.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use futures_util::{Stream, StreamExt as _, stream};
use monitor_runtime::genai::{ModelReply, Usage};
use monitor_runtime::run::{Run, RunId};
use monitor_runtime::{context, run, track_agent, track_model, track_query, track_skill};
use proptest::prelude::*;

use super::runs;

/// A call, and the calls inside it.
#[derive(Clone, Debug)]
struct Program {
    kind: Kind,
    way_out: WayOut,
    order: Order,
    /// The tokens of a model call, or the items of a stream.
    size: u32,
    inside: Vec<Program>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Agent,
    Skill,
    /// A skill that yields items after the calls inside it.
    Stream,
    Query,
    /// Without model calls inside, since only the innermost would count.
    Model,
}

#[derive(Clone, Copy, Debug)]
enum WayOut {
    Value,
    Error,
    Panic,
    /// Dropped at its first wait, with all calls inside it done.
    Dropped,
}

/// How the calls inside are run.
#[derive(Clone, Copy, Debug)]
enum Order {
    OneByOne,
    Joined,
    Spawned,
    /// Each on a thread of its own.
    Threads,
}

fn programs() -> impl Strategy<Value = Program> {
    let kind = prop_oneof![
        2 => Just(Kind::Agent),
        2 => Just(Kind::Skill),
        1 => Just(Kind::Stream),
        1 => Just(Kind::Query),
        1 => Just(Kind::Model),
    ];
    let way_out = prop_oneof![
        4 => Just(WayOut::Value),
        2 => Just(WayOut::Error),
        1 => Just(WayOut::Panic),
        1 => Just(WayOut::Dropped),
    ];
    let order = prop_oneof![
        1 => Just(Order::OneByOne),
        1 => Just(Order::Joined),
        1 => Just(Order::Spawned),
        1 => Just(Order::Threads),
    ];
    let leaf = (kind, way_out, order, 1..9_u32).prop_map(|(kind, way_out, order, size)| Program {
        kind,
        way_out,
        order,
        size,
        inside: Vec::new(),
    });
    let one = leaf.clone();
    leaf.prop_recursive(5, 40, 4, move |inside| {
        (one.clone(), prop::collection::vec(inside, 0..4)).prop_map(|(program, inside)| match program.kind {
            Kind::Model => program,
            _ => Program { inside, ..program },
        })
    })
}

#[track_agent("runs_program_agent")]
async fn agent(program: Program) -> Result<(), String> {
    body(program).await
}

#[track_skill("runs_program_skill")]
async fn skill(program: Program) -> Result<(), String> {
    body(program).await
}

#[track_skill("runs_program_stream")]
fn items(program: Program) -> impl Stream<Item = Result<u32, String>> + Send {
    let Program { way_out, size, .. } = program;
    let first = stream::once(async move {
        run_inside(program).await;
        Ok(0)
    });
    let last = stream::once(leave(way_out)).filter_map(async |left| left.err().map(Err));
    first.chain(stream::iter((1..size).map(Ok))).chain(last)
}

#[track_query("runs_program_query", operation = "select")]
async fn query(program: Program) -> Result<(), String> {
    body(program).await
}

struct Reply(u32);

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        Some(Usage::new(self.0.into(), 1))
    }
}

#[track_model("runs_program_model", provider = "openai")]
async fn model(program: Program) -> Result<Reply, String> {
    let tokens = program.size;
    body(program).await.map(|()| Reply(tokens))
}

/// The agent around a whole program.
#[track_agent("runs_program")]
async fn root(program: Program) -> RunId {
    call(program).await;
    run::current().unwrap().id()
}

async fn body(program: Program) -> Result<(), String> {
    let way_out = program.way_out;
    run_inside(program).await;
    leave(way_out).await
}

async fn run_inside(program: Program) {
    match program.order {
        Order::OneByOne => {
            for program in program.inside {
                call(program).await;
            }
        }
        Order::Joined => drop(join_all(program.inside.into_iter().map(call)).await),
        Order::Spawned => {
            let tasks: Vec<_> =
                program.inside.into_iter().map(|program| context::spawn(call(program))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        Order::Threads => std::thread::scope(|scope| {
            for program in program.inside {
                scope.spawn(context::in_scope(|| runtime().block_on(call(program))));
            }
        }),
    }
}

async fn leave(way_out: WayOut) -> Result<(), String> {
    match way_out {
        WayOut::Value => Ok(()),
        WayOut::Error => Err("as planned".to_owned()),
        WayOut::Panic => std::panic::resume_unwind(Box::new("as planned")),
        WayOut::Dropped => std::future::pending().await,
    }
}

/// A runtime whose clock goes on at once if there is nothing else to wait for.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Longer than all calls inside it can take together, each of which may wait for its own limit.
fn limit(program: &Program) -> Duration {
    fn height(program: &Program) -> u32 {
        1 + program.inside.iter().map(height).max().unwrap_or(0)
    }
    Duration::from_secs(10_u64.pow(height(program)))
}

fn call(program: Program) -> BoxFuture<'static, ()> {
    async move {
        let (kind, way_out, limit) = (program.kind, program.way_out, limit(&program));
        let call = async move {
            match kind {
                Kind::Agent => agent(program).await.is_ok(),
                Kind::Skill => skill(program).await.is_ok(),
                Kind::Stream => items(program).all(async |item| item.is_ok()).await,
                Kind::Query => query(program).await.is_ok(),
                Kind::Model => model(program).await.is_ok(),
            }
        };
        let call = std::panic::AssertUnwindSafe(call).catch_unwind();
        match way_out {
            // Everything inside is done once the paused clock has nothing else to wait for.
            WayOut::Dropped => drop(tokio::time::timeout(limit, call).await),
            _ => drop(call.await),
        }
    }
    .boxed()
}

/// The tree of a program as sorted text: concurrent calls may begin in any order.
fn expected(program: &Program) -> String {
    let (kind, name) = match program.kind {
        Kind::Agent => ("agent", "runs_program_agent"),
        Kind::Skill => ("skill", "runs_program_skill"),
        Kind::Stream => ("skill", "runs_program_stream"),
        Kind::Query => ("query", "runs_program_query"),
        Kind::Model => ("model", "runs_program_model"),
    };
    let way_out = match program.way_out {
        WayOut::Value => "success",
        WayOut::Error => "error",
        WayOut::Panic => "panic",
        WayOut::Dropped => "cancelled",
    };
    let items = match (program.kind, program.way_out) {
        (Kind::Stream, WayOut::Error) => program.size + 1,
        (Kind::Stream, _) => program.size,
        _ => 0,
    };
    let mut inside: Vec<_> = program.inside.iter().map(expected).collect();
    inside.sort();
    let tokens = used(program).unwrap_or(0);
    format!("{kind} {name} {way_out} {items} {tokens} [{}]", inside.join(" "))
}

/// The input tokens of a model call, if it tells them.
fn used(program: &Program) -> Option<u64> {
    let is_told = matches!((program.kind, program.way_out), (Kind::Model, WayOut::Value));
    is_told.then_some(program.size.into())
}

/// The input tokens and the number of all model calls that tell them, and the number of those that do not.
fn sums(program: &Program) -> [u64; 3] {
    let own = match (program.kind, used(program)) {
        (Kind::Model, Some(tokens)) => [tokens, 1, 0],
        (Kind::Model, None) => [0, 0, 1],
        _ => [0; 3],
    };
    program.inside.iter().map(sums).fold(own, |all, sums| [0, 1, 2].map(|at| all[at] + sums[at]))
}

fn recorded(run: &Run, at: usize) -> String {
    let node = &run.nodes()[at];
    let mut inside: Vec<_> = run.children(at).map(|(at, _)| recorded(run, at)).collect();
    inside.sort();
    let outcome = node.outcome().map_or("none", |outcome| outcome.as_str());
    let usage = node.model().and_then(|call| call.usage());
    let tokens = usage.and_then(|usage| usage.input_tokens()).unwrap_or(0);
    format!("{} {} {outcome} {} {tokens} [{}]", node.kind(), node.name(), node.items(), inside.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_recorded_tree_is_the_tree_of_the_program(program in programs()) {
        let runs = runs();
        let id = runtime().block_on(root(program.clone()));
        let found = runs.find(id);
        prop_assert_eq!(found.len(), 1);
        let run = &found[0];
        prop_assert!(run.has_ended() && !run.is_incomplete(), "{run:#}");
        let parents = run.nodes().iter().enumerate().skip(1).all(|(at, node)| node.parent().is_some_and(|parent| parent < at));
        prop_assert!(parents, "a parent is before its children: {run:#}");
        let tree = run.children(0).map(|(at, _)| recorded(run, at)).collect::<String>();
        prop_assert_eq!(tree, expected(&program));
        let usage = run.usage();
        let [tokens, known, unknown] = sums(&program);
        prop_assert_eq!(usage.input_tokens().unwrap_or(0), tokens);
        prop_assert_eq!([usage.calls() - usage.unknown_calls(), usage.unknown_calls()], [known, unknown]);
    }
}
