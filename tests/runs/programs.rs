//! Random programs of calls, against a tree that is built by the test itself.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use monitor_runtime::run::{Run, RunId};
use monitor_runtime::{context, run, track_agent, track_skill};
use proptest::prelude::*;

use super::runs;

/// A call, and the calls inside it.
#[derive(Clone, Debug)]
struct Program {
    kind: Kind,
    way_out: WayOut,
    order: Order,
    inside: Vec<Program>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Agent,
    Skill,
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
}

fn programs() -> impl Strategy<Value = Program> {
    let kind = prop_oneof![Just(Kind::Agent), Just(Kind::Skill)];
    let way_out = prop_oneof![
        4 => Just(WayOut::Value),
        2 => Just(WayOut::Error),
        1 => Just(WayOut::Panic),
        1 => Just(WayOut::Dropped),
    ];
    let order = prop_oneof![Just(Order::OneByOne), Just(Order::Joined), Just(Order::Spawned)];
    let leaf = (kind, way_out, order).prop_map(|(kind, way_out, order)| Program {
        kind,
        way_out,
        order,
        inside: Vec::new(),
    });
    let one = leaf.clone();
    leaf.prop_recursive(5, 40, 4, move |inside| {
        (one.clone(), prop::collection::vec(inside, 0..4))
            .prop_map(|(program, inside)| Program { inside, ..program })
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

/// The agent around a whole program.
#[track_agent("runs_program")]
async fn root(program: Program) -> RunId {
    call(program).await;
    run::current().unwrap().id()
}

async fn body(program: Program) -> Result<(), String> {
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
    }
    match program.way_out {
        WayOut::Value => Ok(()),
        WayOut::Error => Err("as planned".to_owned()),
        WayOut::Panic => std::panic::resume_unwind(Box::new("as planned")),
        WayOut::Dropped => std::future::pending().await,
    }
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
                Kind::Agent => agent(program).await,
                Kind::Skill => skill(program).await,
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
    };
    let way_out = match program.way_out {
        WayOut::Value => "success",
        WayOut::Error => "error",
        WayOut::Panic => "panic",
        WayOut::Dropped => "cancelled",
    };
    let mut inside: Vec<_> = program.inside.iter().map(expected).collect();
    inside.sort();
    format!("{kind} {name} {way_out} [{}]", inside.join(" "))
}

fn recorded(run: &Run, at: usize) -> String {
    let node = &run.nodes()[at];
    let mut inside: Vec<_> = run.children(at).map(|(at, _)| recorded(run, at)).collect();
    inside.sort();
    let outcome = node.outcome().map_or("none", |outcome| outcome.as_str());
    format!("{} {} {outcome} [{}]", node.kind(), node.name(), inside.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_recorded_tree_is_the_tree_of_the_program(program in programs()) {
        let runs = runs();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let id = runtime.block_on(root(program.clone()));
        drop(runtime);
        let found = runs.find(id);
        prop_assert_eq!(found.len(), 1);
        let run = &found[0];
        prop_assert!(run.has_ended() && !run.is_incomplete(), "{run:#}");
        let parents = run.nodes().iter().enumerate().skip(1).all(|(at, node)| node.parent().is_some_and(|parent| parent < at));
        prop_assert!(parents, "a parent is before its children: {run:#}");
        let tree = run.children(0).map(|(at, _)| recorded(run, at)).collect::<String>();
        prop_assert_eq!(tree, expected(&program));
    }
}
