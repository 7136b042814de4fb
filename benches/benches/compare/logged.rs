//! The cost of a tracked call with a listener to its span, while nothing is logged inside.

use std::error::Error;
use std::io;

use fastrace::prelude::{Span, SpanContext, SpanRecord};
use monitor_runtime::logging::Logging;
use tracing::subscriber::set_global_default;

use crate::calls::bodies::{plain, tracked, work};
use crate::calls::peers::{fastrace as fastraced, instrumented, set_up_autometrics};
use crate::harness::{Contender, race, time};
use crate::remote::{Run, remote};
use crate::report::{Figures, print};
use crate::sections::Effort;
use crate::subscribers;

/// Number of calls under one of fastrace's roots, which have to be short.
const CALLS_PER_ROOT: u64 = 64;

pub(crate) fn run(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let race = race(
        vec![
            Contender::new("plain", plain),
            remote("track_agent, our JSON lines", "logged/ours")?,
            remote("instrument + autometrics, tracing JSON", "logged/instrument_autometrics")?,
            remote("instrument, tracing JSON", "logged/instrument")?,
            remote("instrument, json-subscriber", "logged/json_subscriber")?,
            remote("instrument, bunyan (logs both ends)", "logged/bunyan")?,
            remote("fastrace::trace, its root's share", "logged/fastrace")?,
        ],
        effort.rounds(800),
    );
    print("a call whose span is listened to, nothing logged", &race, |name| {
        (name != "plain").then_some("plain")
    });
    let ours = race.net("track_agent, our JSON lines", "plain");
    let theirs = race.net("instrument + autometrics, tracing JSON", "plain");
    Ok(vec![("instrument_autometrics_over_call_logged", theirs / ours)])
}

#[inline(never)]
#[tracing::instrument(skip_all, fields(agent_id = "planner"))]
#[autometrics::autometrics(track_concurrency)]
fn instrumented_and_counted(number: u64) -> u64 {
    work(number)
}

/// Spans bind one field each, the agent's id; a plain `#[instrument]` would bind all arguments.
pub(crate) fn contender(member: &str) -> Result<Run, Box<dyn Error>> {
    Ok(match member {
        "ours" => {
            let guard = Logging::builder().writer(io::sink()).init()?;
            Box::new(move |times| {
                let _ = &guard;
                time(times, tracked)
            })
        }
        "instrument_autometrics" => {
            set_up_autometrics();
            set_global_default(subscribers::tracing_json(io::sink))?;
            Box::new(|times| time(times, instrumented_and_counted))
        }
        "instrument" => {
            set_global_default(subscribers::tracing_json(io::sink))?;
            Box::new(|times| time(times, instrumented))
        }
        "json_subscriber" => {
            set_global_default(subscribers::json_subscriber(io::sink))?;
            Box::new(|times| time(times, instrumented))
        }
        "bunyan" => {
            set_global_default(subscribers::bunyan(io::sink))?;
            Box::new(|times| time(times, instrumented))
        }
        "fastrace" => {
            fastrace::set_reporter(Discard, fastrace::collector::Config::default());
            Box::new(|times| {
                let roots = times.div_ceil(CALLS_PER_ROOT);
                time(roots, under_a_root).mul_f64(times as f64 / (roots * CALLS_PER_ROOT) as f64)
            })
        }
        unknown => return Err(format!("unknown contender {unknown}").into()),
    })
}

fn under_a_root(number: u64) -> u64 {
    let root = Span::root("request", SpanContext::random());
    let _guard = root.set_local_parent();
    (0..CALLS_PER_ROOT).fold(number, |number, _| fastraced(number))
}

/// Discards the spans that fastrace collects.
struct Discard;

impl fastrace::collector::Reporter for Discard {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}
