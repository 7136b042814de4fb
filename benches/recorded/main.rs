//! Times calls that the recorder of runs records, in turn with calls that nobody records.
//!
//! ```sh
//! cargo bench -p monitor-recorded-bench --bench recorded
//! cargo bench -p monitor-recorded-bench --bench recorded -- --quick --check
//! ```
//!
//! A recorder is started once a process and for all its calls, so each recorded contender has a process of its own.

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use monitor_benches::bodies;
use monitor_benches::harness::{Contender, print, race, time};
use monitor_benches::remote::{Run, answer, remote};
use monitor_runtime::run::{self, Runs};
use monitor_runtime::{track_agent, track_skill};

/// Calls in a turn. With those that warm up, their events fit into the buffer of a thread even if the recorder reads none of them.
const CALLS: u64 = 1_000;

/// The maximum of `call_recorded_over_limit`.
const BAR: f64 = 5.0;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut rounds, mut must_meet) = (4_000, false);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => rounds = 800,
            "--check" => must_meet = true,
            "--contender" => {
                answer(contender(&arguments.next().ok_or("--contender expects a name")?)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            "--bench" => {}
            unknown => return Err(format!("unknown argument {unknown}; expected --quick or --check").into()),
        }
    }
    let figure = compare(rounds)?;
    if must_meet && figure > BAR {
        eprintln!("missed: call_recorded_over_limit is {figure:.2}, expected at most {BAR}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn compare(rounds: usize) -> Result<f64, Box<dyn Error>> {
    let clock = bodies::clock();
    let race = race(
        vec![
            Contender::new("plain", bodies::plain),
            Contender::new("limit", |number| bodies::limit(&clock, number)),
            Contender::new("skill, no recorder", skill),
            remote("skill in an agent", "skill")?.batch(CALLS),
            remote("skill outside of any run", "lone_skill")?.batch(CALLS),
            remote("agent, a run each", "agent")?.batch(CALLS),
        ],
        rounds,
    );
    print("a call in a build with the recorder", &race, |name| (name != "plain").then_some("plain"));
    let limit = race.net("limit", "plain");
    let over_limit = |name| race.net(name, "plain") / limit;
    println!(
        "\nnanoseconds that the recorder adds to a call: {:.1}",
        race.net("skill in an agent", "skill, no recorder")
    );
    let figure = over_limit("skill in an agent");
    println!("RATIO call_unrecorded_over_limit {:.2}", over_limit("skill, no recorder"));
    println!("RATIO call_recorded_over_limit {figure:.2}");
    println!("RATIO lone_call_over_limit {:.2}", over_limit("skill outside of any run"));
    println!("RATIO agent_recorded_over_limit {:.2}", over_limit("agent, a run each"));
    Ok(figure)
}

#[inline(never)]
#[track_skill("recorded::skill")]
fn skill(number: u64) -> u64 {
    bodies::work(number)
}

#[inline(never)]
#[track_agent("recorded::agent")]
fn agent(number: u64) -> u64 {
    bodies::work(number)
}

#[track_agent("recorded::around")]
fn skills_in_an_agent(times: u64) -> Duration {
    time(times, skill)
}

fn contender(name: &str) -> Result<Run, Box<dyn Error>> {
    let times: fn(u64) -> Duration = match name {
        "skill" => skills_in_an_agent,
        "lone_skill" => |times| time(times, skill),
        "agent" => |times| time(times, agent),
        unknown => return Err(format!("unknown contender {unknown}").into()),
    };
    let runs = run::builder().start()?;
    Ok(Box::new(move |count| {
        let before = lost(runs);
        let elapsed = times(count);
        assert_eq!(lost(runs), before, "a lost event costs less than a recorded one");
        elapsed
    }))
}

/// Reads all events, and returns the number of those and of runs that were lost so far.
fn lost(runs: Runs) -> u64 {
    let figures = runs.figures();
    figures.lost + figures.lost_events
}
