//! The cost of many series in a process: memory per series, and the time and size of a scrape.
//!
//! ```sh
//! cargo bench -p monitor-endpoints-bench --bench scaling
//! ```
//!
//! Each size is measured in its own process, as series stay for the life of a process. The series belong to agents that have
//! succeeded and failed on two threads: 43 lines of a scrape for each agent.

use std::env;
use std::error::Error;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use monitor_runtime::{Monitor, metrics, track_agent};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Four counters, a gauge, and for two outcomes a histogram of 17 buckets, a sum and a count.
const SERIES_OF_AN_AGENT: usize = 4 + 1 + 2 * (17 + 2);

const SCRAPES: usize = 50;

/// Calls of each agent on each thread, so that every measured cell has been written.
const CALLS: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).filter(|argument| argument != "--bench");
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => measure_each_size(),
        (Some("--series"), Some(series)) => measure(series.parse()?),
        (Some(unknown), _) => Err(format!("unknown argument {unknown}; expected none").into()),
    }
}

fn measure_each_size() -> Result<(), Box<dyn Error>> {
    println!(
        "{:>9}{:>9}{:>16}{:>14}{:>14}{:>14}",
        "series", "agents", "bytes/series", "scrape p50", "scrape p95", "text"
    );
    for series in SIZES {
        let process = Command::new(env::current_exe()?).args(["--series", &series.to_string()]).status()?;
        if !process.success() {
            return Err(format!("{series} series could not be measured").into());
        }
    }
    Ok(())
}

fn measure(series: usize) -> Result<(), Box<dyn Error>> {
    let agents = series.div_ceil(SERIES_OF_AN_AGENT);
    metrics::builder().series_limit(agents + 10).init()?;
    let monitor = Monitor::builder().service("scaling-bench", "1").build()?;
    // What the first agent, the first scrape and their threads take is the process's.
    call_all(0..1);
    let empty = (metrics::render().len(), resident_bytes()?);
    call_all(1..agents + 1);
    let grown = resident_bytes()?.saturating_sub(empty.1);
    let text = metrics::render();
    let lines = text.lines().filter(|line| line.contains("{agent_id=")).count();
    if lines != (agents + 1) * SERIES_OF_AN_AGENT {
        return Err(format!("{lines} lines of {} agents", agents + 1).into());
    }

    let mut times: Vec<_> = (0..SCRAPES).map(|_| scrape(&monitor)).collect();
    times.sort_unstable();
    let milliseconds = |at: usize| format!("{:.2} ms", times[at].as_secs_f64() * 1e3);
    let of_series = grown / (agents * SERIES_OF_AN_AGENT);
    let kilobytes = (text.len() - empty.0) / 1_000;
    println!(
        "{:>9}{agents:>9}{of_series:>16}{:>14}{:>14}{:>14}",
        agents * SERIES_OF_AN_AGENT,
        milliseconds(SCRAPES / 2),
        milliseconds(SCRAPES * 95 / 100),
        format!("{kilobytes} kB")
    );
    Ok(())
}

fn scrape(monitor: &Monitor) -> Duration {
    let start = Instant::now();
    drop(std::hint::black_box(monitor.metrics()));
    start.elapsed()
}

/// Calls from two threads at once, so that each uses its own stripe.
fn call_all(agents: std::ops::Range<usize>) {
    let call = || {
        for agent in agents.clone() {
            let id = format!("team-{}/agent-{agent:06}", agent % 7);
            for _ in 0..CALLS {
                let _ = (run(&id, true), run(&id, false));
            }
        }
    };
    thread::scope(|scope| [(); 2].map(|()| scope.spawn(call)).map(|thread| thread.join().is_ok()));
}

#[track_agent(id = id, log_errors = false)]
fn run(id: &str, succeeds: bool) -> Result<(), ()> {
    std::hint::black_box(id);
    if succeeds { Ok(()) } else { Err(()) }
}

fn resident_bytes() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    let kilobytes: usize =
        resident.ok_or("the system does not say how much memory is taken")?.trim().parse()?;
    Ok(kilobytes * 1_024)
}
