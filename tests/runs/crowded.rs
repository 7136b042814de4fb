//! Runs for which the recorder has little room, and a subscriber that breaks down on its thread.

use std::future::{self, Future};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use monitor_runtime::run::{self, BudgetExceeded, Runs};
use monitor_runtime::testing::Recording;
use monitor_runtime::{track_agent, track_skill};
use tracing_subscriber::layer::{self, Layer};
use tracing_subscriber::prelude::*;

use crate::support::subprocess::in_own_process;

/// The least that a recorder takes.
const MEMORY: usize = 2 << 20;

type Open = Pin<Box<dyn Future<Output = ()>>>;

/// Polls a call of an agent once.
fn advance(open: &mut Open) {
    assert!(open.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

fn opened(call: impl Future<Output = ()> + 'static) -> Open {
    let mut open: Open = Box::pin(call);
    advance(&mut open);
    open
}

/// Waits for its second poll.
async fn wait_once() {
    let mut has_waited = false;
    future::poll_fn(
        |_| {
            if std::mem::replace(&mut has_waited, true) { Poll::Ready(()) } else { Poll::Pending }
        },
    )
    .await;
}

#[track_agent("crowded_speaker")]
async fn speak() {
    wait_once().await;
    for _ in 0..100 {
        run::note("n".repeat(256));
    }
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        run::tag(key, "t".repeat(128));
    }
    fail().unwrap_err();
    future::pending::<()>().await;
}

#[track_skill("crowded_step")]
fn fail() -> Result<(), String> {
    Err("e".repeat(1_000))
}

#[test]
fn texts_of_runs_that_go_on_stay_below_the_ceiling() {
    in_own_process(|| {
        let runs = run::builder().memory(MEMORY).start().unwrap();
        let mut open: Vec<_> = (0..200).map(|_| opened(speak())).collect();
        for speaker in &mut open {
            advance(speaker);
            let figures = runs.figures();
            assert!(figures.bytes <= figures.memory, "{figures:?}");
        }
        assert_eq!(runs.figures().running, 200);
        let running = runs.running();
        let said = |run: &run::Run| {
            run.notes().len() + run.tags().count() + usize::try_from(run.lost_texts()).unwrap()
        };
        assert!(running.iter().all(|run| said(run) >= 108), "each text is kept or counted");
        assert!(running.iter().any(|run| run.lost_texts() > 0));
        drop(open);
        let figures = runs.figures();
        assert_eq!((figures.running, figures.ended), (0, 200));
    });
}

#[track_agent("crowded_hanging")]
async fn hang() {
    future::pending::<()>().await;
}

#[track_skill("crowded_search")]
fn search() {}

/// Its run finds no slot. Those of other runs are free when the inner agent begins.
#[track_agent("crowded_planner")]
fn plan(runs: Runs, open: Vec<Open>) -> Result<(), BudgetExceeded> {
    drop(open);
    assert_eq!(runs.figures().running, 0);
    research()
}

#[track_agent("crowded_researcher", budget(skill_calls = 2))]
fn research() -> Result<(), BudgetExceeded> {
    search();
    run::check_budget()?;
    search();
    run::check_budget()
}

#[test]
fn a_run_without_room_is_counted_and_budgets_in_it_hold() {
    in_own_process(|| {
        let runs = run::builder().memory(MEMORY).start().unwrap();
        let recording = Recording::start();
        let mut open = Vec::new();
        while runs.figures().lost == 0 {
            open.push(opened(hang()));
        }
        let error = plan(runs, open).unwrap_err();
        assert_eq!((error.agent, error.used, error.allowed), ("crowded_researcher", 2, 2));
        let figures = runs.figures();
        assert_eq!((figures.running, figures.lost), (0, 2));
        until(|| recording.value("monitor_run_records_lost_total", &[("record", "run")]) == 2.0);
    });
}

/// Panics as it is told of a budget.
struct Panics;

static TOLD: AtomicUsize = AtomicUsize::new(0);

impl<S: tracing::Subscriber> Layer<S> for Panics {
    fn on_event(&self, event: &tracing::Event<'_>, _: layer::Context<'_, S>) {
        if event.metadata().target() == "monitor_runtime::run" {
            TOLD.fetch_add(1, Ordering::SeqCst);
            panic!("a layer breaks down");
        }
    }
}

#[track_agent("crowded_slow", budget(duration = "1ms"))]
async fn linger() {
    future::pending::<()>().await;
}

#[test]
fn the_recorder_outlives_a_subscriber_that_panics() {
    in_own_process(|| {
        tracing_subscriber::registry().with(Panics).init();
        let _runs = run::builder().memory(MEMORY).start().unwrap();
        // Nobody but the recorder's thread looks at them again.
        for told in 1..=3 {
            let _open = opened(linger());
            until(|| TOLD.load(Ordering::SeqCst) == told);
        }
    });
}

fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
}
