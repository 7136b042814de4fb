//! The cost of one log line for the logging thread: one event with two fields, inside three spans with a field each.

mod by_hand;
mod sink;

use std::error::Error;
use std::time::Duration;

use monitor_runtime::logging::{LogGuard, Logging};
use monitor_runtime::metrics;
use tracing::span::EnteredSpan;
use tracing::subscriber::set_global_default;
use tracing::{info, info_span};

use crate::harness::{Contender, race, time};
use crate::remote::{Run, remote};
use crate::report::{Figures, print};
use crate::sections::Effort;
use crate::subscribers;

use by_hand::ByHand;
use sink::Sink;

const REQUEST_ID: &str = "01990a7e-7c1e-7a42-9d0c-5f6b8a3f2c11";

/// Length of a turn: long enough for our writer's thread to take several batches, and short enough that its queue holds all lines
/// of a turn even if that thread gets no processor.
const TURN: Duration = Duration::from_millis(4);

pub(crate) fn run(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let mut by_hand = ByHand::default();
    let contenders = vec![
        Contender::new("limit", |number| by_hand.write_to(&mut Sink, number)),
        remote("ours", "lines/ours")?,
        remote("tracing-subscriber JSON", "lines/tracing_json")?,
        remote("json-subscriber", "lines/json_subscriber")?,
        remote("tracing-bunyan-formatter", "lines/bunyan")?,
    ];
    let race =
        race(contenders.into_iter().map(|contender| contender.turn(TURN)).collect(), effort.rounds(200));
    print("a line, two fields, three levels of context", &race, |_| None);
    let ours = race.cost("ours");
    let over_ours = |name| race.cost(name) / ours;
    let tracing_json = over_ours("tracing-subscriber JSON");
    let others = [over_ours("json-subscriber"), over_ours("tracing-bunyan-formatter")];
    Ok(vec![
        ("best_json_peer_over_line", others.into_iter().fold(tracing_json, f64::min)),
        ("tracing_json_over_line", tracing_json),
        ("line_over_limit", ours / race.cost("limit")),
    ])
}

fn log(number: u64) {
    info!(attempt = number, outcome = "found", "searching");
}

/// The spans around the event.
fn context() -> [EnteredSpan; 3] {
    [
        info_span!("request", request_id = REQUEST_ID).entered(),
        info_span!("agent", agent_id = "planner").entered(),
        info_span!("skill", skill_id = "web_search").entered(),
    ]
}

pub(crate) fn contender(member: &str) -> Result<Run, Box<dyn Error>> {
    let guard = match member {
        "ours" => Some(Logging::builder().writer(Sink).init()?),
        _ => None,
    };
    match member {
        "ours" => {}
        "tracing_json" => set_global_default(subscribers::tracing_json(|| Sink))?,
        "json_subscriber" => set_global_default(subscribers::json_subscriber(|| Sink))?,
        "bunyan" => set_global_default(subscribers::bunyan(|| Sink))?,
        unknown => return Err(format!("unknown contender {unknown}").into()),
    }
    let context = context();
    expect_all_is_said(guard.as_ref())?;
    Ok(Box::new(move |times| {
        let _ = &context;
        let elapsed = time(times, log);
        if let Some(guard) = &guard {
            expect_none_dropped(guard);
        }
        elapsed
    }))
}

/// Checks that no line omits a value, since it would be measured as a fast one.
fn expect_all_is_said(guard: Option<&LogGuard>) -> Result<(), Box<dyn Error>> {
    let line = sink::kept(|| {
        log(7);
        guard.is_none_or(LogGuard::flush)
    });
    for value in [REQUEST_ID, "planner", "web_search", "7", "found", "searching"] {
        if !line.contains(value) {
            return Err(format!("{value} is not in {line}").into());
        }
    }
    if guard.is_some() {
        by_hand::expect_alike(&line, 7)?;
    }
    Ok(())
}

/// Waits for our writer, and checks that it has dropped no line.
fn expect_none_dropped(guard: &LogGuard) {
    assert!(guard.flush(), "the writer hangs");
    assert!(metrics::render().contains("\nlog_events_dropped_total 0\n"), "lines were dropped");
}
