//! Runs each path of a call in a build with the recorder of runs, for a tool that counts instructions.
//!
//! `cargo xtask instructions` runs it like the bench of this name of the other paths.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::io;

use monitor_runtime::run;
use monitor_runtime::{track_agent, track_skill};

/// Calls of one path. Their events fit into the buffer of a thread, so each count is that of calls alone.
const TIMES: u32 = 500;

monitor_benches::define_counting!();

type Path = (&'static str, bool, fn());

/// The paths, and whether a recorder is started before.
const PATHS: [Path; 6] = [
    ("call_literal_with_runs", false, || repeat(TIMES, || drop(literal(1)))),
    ("call_dynamic_with_runs", false, || repeat(TIMES, || drop(dynamic("instructions-agent", 1)))),
    ("call_async_with_runs", false, || repeat(TIMES, || drop(ready(asynchronous(1))))),
    ("call_recorded", true, skills_in_an_agent),
    ("lone_call_recorded", true, || repeat(TIMES, || drop(skill(1)))),
    ("agent_recorded", true, || repeat(TIMES, || drop(literal(1)))),
];

/// Prints the names of the paths; or runs the named path, and prints the number of repetitions.
fn main() -> Result<(), Box<dyn Error>> {
    let Some(name) = env::args().nth(1).filter(|argument| argument != "--bench") else {
        for (name, ..) in PATHS {
            println!("{name}");
        }
        return Ok(());
    };
    let found = PATHS.into_iter().find(|(known, ..)| *known == name);
    let (_, is_recorded, run) = found.ok_or_else(|| format!("unknown path {name}"))?;
    let runs = is_recorded.then(|| run::builder().start()).transpose()?;
    run();
    let lost = runs.map_or(0, |runs| runs.figures().lost_events);
    assert_eq!(lost, 0, "a lost event takes fewer instructions");
    println!("{TIMES}");
    Ok(())
}

#[inline(never)]
#[track_agent("instructions::literal")]
fn literal(input: u64) -> Result<u64, io::Error> {
    Ok(black_box(input))
}

#[inline(never)]
#[track_agent(id = agent)]
fn dynamic(agent: &str, input: u64) -> Result<u64, io::Error> {
    black_box(agent);
    Ok(black_box(input))
}

/// It awaits, since the attribute treats a body that never awaits like that of a synchronous function.
#[track_agent("instructions::asynchronous")]
async fn asynchronous(input: u64) -> Result<u64, io::Error> {
    Ok(std::future::ready(black_box(input)).await)
}

#[inline(never)]
#[track_skill("instructions::skill")]
fn skill(input: u64) -> Result<u64, io::Error> {
    Ok(black_box(input))
}

#[track_agent("instructions::around")]
fn skills_in_an_agent() {
    repeat(TIMES, || drop(skill(1)));
}
