//! Measures the CPU time and the memory of the live page, on a socket and with a client that follows it as a browser does.
//!
//! ```sh
//! cargo bench -p monitor-live-page-bench --bench live_page                   # ten minutes a phase
//! cargo bench -p monitor-live-page-bench --bench live_page -- --quick        # ten seconds a phase
//! cargo bench -p monitor-live-page-bench --bench live_page -- --check        # and fails past the bars
//! ```
//!
//! | phase | calls a second | clients |
//! | --- | --- | --- |
//! | idle | 0 | 0 |
//! | called | 1,000 | 0 |
//! | watched | 1,000 | 1, which follows the first screen |
//!
//! The CPU time is that of the threads of the monitor, whose names begin with `monitor-`, as Linux counts it in
//! `/proc/self/task/*/schedstat`. The recorder's part of each call is not in it; the bench `recorded` measures that.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use monitor_runtime::{Dashboard, Monitor, run, track_agent, track_skill};

/// Calls a second: a run has an agent call and three skill calls.
const CALLS: u32 = 1_000;
const CALLS_OF_A_RUN: u32 = 4;

/// The maximum memory that the recorder keeps, in bytes.
const MEMORY: usize = 16 << 20;

/// The bars: per cent of a core, and bytes.
const MOST_IDLE: f64 = 0.2;
const MOST_WATCHED: f64 = 1.0;
const MOST_OF_A_TICK: usize = 32_768;
const MOST_OF_A_MEDIAN_TICK: usize = 4_096;
const MOST_GROWTH: usize = MEMORY + (1 << 20);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut seconds, mut must_meet) = (600, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => seconds = 10,
            "--seconds" => seconds = arguments.next().ok_or("--seconds expects a number")?.parse()?,
            "--check" => must_meet = true,
            "--bench" => {}
            unknown => {
                return Err(
                    format!("unknown argument {unknown}; expected --quick, --seconds or --check").into()
                );
            }
        }
    }
    let figures = measure(Duration::from_secs(seconds))?;
    for figure in &figures {
        println!("{:<36} {:>12.3} {}", figure.name, figure.value, figure.unit);
    }
    let missed: Vec<_> = figures.iter().filter(|figure| figure.value > figure.most).collect();
    for figure in &missed {
        eprintln!(
            "missed: {} is {:.3} {}, expected at most {}",
            figure.name, figure.value, figure.unit, figure.most
        );
    }
    Ok(if must_meet && !missed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// The bar, or infinity.
    most: f64,
}

fn measure(phase: Duration) -> Result<Vec<Figure>, Box<dyn Error>> {
    let monitor = Monitor::builder().admin_port(0).dashboard(Dashboard::new().memory(MEMORY)).build()?;
    let address = monitor.admin_address().ok_or("no admin listener")?;
    answer(7);
    thread::sleep(Duration::from_secs(1));
    let resident = resident_bytes()?;
    let idle = share_of_a_core(phase, || thread::sleep(phase))?;
    let called = share_of_a_core(phase, || call(phase))?;
    let client = follow(address)?;
    let watched = share_of_a_core(phase, || call(phase))?;
    drop(monitor);
    let mut ticks = client.join().map_err(|_| "the client panicked")?;
    ticks.sort_unstable();
    let growth = resident_bytes()?.saturating_sub(resident);
    let median = ticks.get(ticks.len() / 2).copied().ok_or("the client got no tick")?;
    let largest = ticks.last().copied().unwrap_or_default();
    let lost = run::started().map_or(0, |runs| runs.figures().lost_events);
    Ok(vec![
        Figure { name: "CPU, idle", value: idle, unit: "% of a core", most: MOST_IDLE },
        Figure { name: "CPU, called", value: called, unit: "% of a core", most: f64::INFINITY },
        Figure { name: "CPU, watched", value: watched, unit: "% of a core", most: MOST_WATCHED },
        Figure {
            name: "median tick",
            value: whole(median),
            unit: "bytes",
            most: whole(MOST_OF_A_MEDIAN_TICK),
        },
        Figure { name: "largest tick", value: whole(largest), unit: "bytes", most: whole(MOST_OF_A_TICK) },
        Figure {
            name: "growth of the resident memory",
            value: whole(growth),
            unit: "bytes",
            most: whole(MOST_GROWTH),
        },
        Figure { name: "events lost", value: whole(usize::try_from(lost)?), unit: "", most: 0.0 },
    ])
}

#[expect(clippy::cast_precision_loss, reason = "figures are far below 2^52")]
fn whole(value: usize) -> f64 {
    value as f64
}

#[track_skill("search")]
fn search(words: u64) -> Result<u64, String> {
    if words.is_multiple_of(50) { Err(format!("nothing about {words}")) } else { Ok(words) }
}

#[track_skill("rank")]
fn rank(found: u64) -> u64 {
    found.rotate_left(7)
}

#[track_agent("answerer")]
fn answer(question: u64) -> Option<u64> {
    let found = search(question).ok()?;
    Some(rank(rank(found)))
}

/// Calls at the same distances for a time.
fn call(time: Duration) {
    let distance = Duration::from_secs(1) * CALLS_OF_A_RUN / CALLS;
    let begun = Instant::now();
    let mut number = 0_u32;
    while begun.elapsed() < time {
        number = number.wrapping_add(1);
        answer(u64::from(number));
        thread::sleep((distance * number).saturating_sub(begun.elapsed()));
    }
}

/// Follows the first screen until the stream ends. Returns the lengths of its ticks.
fn follow(address: SocketAddr) -> Result<JoinHandle<Vec<usize>>, Box<dyn Error>> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /monitor/api/v1/stream?topics=now HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    Ok(thread::spawn(move || {
        let (mut ticks, mut length, mut is_tick) = (Vec::new(), 0, false);
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        // The end of the monitor cuts the connection.
        while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            is_tick |= line.trim_end() == "event: tick";
            length += line.len();
            if line.trim_end().is_empty() {
                // The first has everything.
                if is_tick {
                    ticks.push(length);
                }
                (length, is_tick) = (0, false);
            }
            line.clear();
        }
        ticks
    }))
}

/// The CPU time of the monitor's threads while some code runs, in per cent of a core.
fn share_of_a_core(time: Duration, code: impl FnOnce()) -> Result<f64, Box<dyn Error>> {
    let before = cpu_time()?;
    code();
    Ok(cpu_time()?.saturating_sub(before).as_secs_f64() / time.as_secs_f64() * 100.0)
}

fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let mut time = Duration::ZERO;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.starts_with("monitor-") {
            let nanos = fs::read_to_string(task.join("schedstat"))?;
            let nanos = nanos.split(' ').next().ok_or("schedstat is empty")?;
            time += Duration::from_nanos(nanos.parse()?);
        }
    }
    Ok(time)
}

fn resident_bytes() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1_024)
}
