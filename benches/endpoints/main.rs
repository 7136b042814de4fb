//! The latency of each health endpoint, over a real socket, against its target.
//!
//! ```sh
//! cargo bench -p monitor-endpoints-bench --bench endpoints              # prints the table
//! cargo bench -p monitor-endpoints-bench --bench endpoints -- --quick   # a tenth of the requests
//! cargo bench -p monitor-endpoints-bench --bench endpoints -- --check   # and fails if a target is missed
//! ```
//!
//! The service has a database check, a disk check and a thousand agents that have run. Requests run one after the other on one
//! kept connection, each timed from the first byte written to the last byte read. Then ten thousand concurrent readiness probes
//! are timed without a socket, once with a check that passes and once with a check that sleeps for an hour.

mod client;
mod ready;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use monitor_runtime::health::{CheckError, DatabaseCheck, DiskCheck, check_fn};
use monitor_runtime::{Monitor, metrics, track_agent};
use sqlx::SqlitePool;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use client::Client;
use ready::is_ready;

const AGENTS: usize = 1_000;
const PROBES: usize = 10_000;

/// Each endpoint, and the target of its p95.
const ENDPOINTS: [(&str, Option<Duration>); 4] = [
    ("/health/live", Some(Duration::from_millis(10))),
    ("/health/ready", Some(Duration::from_millis(100))),
    ("/health/startup", None),
    ("/health/metrics", Some(Duration::from_millis(50))),
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut requests, mut must_meet) = (5_000, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => requests = 500,
            "--check" => must_meet = true,
            // What `cargo bench` says to every bench.
            "--bench" => {}
            unknown => return Err(format!("unknown argument {unknown}; expected --quick or --check").into()),
        }
    }

    let runtime = Runtime::new()?;
    let (address, admin) = runtime.block_on(start())?;
    let mut client = Client::connect(address)?;
    expect_every_agent(std::str::from_utf8(client.get("/health/metrics")?)?)?;

    println!("{requests} requests an endpoint, milliseconds, {AGENTS} agents\n");
    println!("{:<18}{:>9}{:>9}{:>9}   target (p95)", "endpoint", "p50", "p95", "p99");
    let mut missed = false;
    for (path, target) in ENDPOINTS {
        let latencies = Latencies::measure(&mut client, path, requests)?;
        missed |= latencies.print(path, target);
    }
    missed |= measure_beside_busy_workers(&runtime, admin, requests / 10)?;
    println!("\n{PROBES} readiness probes at once, milliseconds\n");
    println!("{:<18}{:>9}{:>9}{:>9}   target (p95)", "beside a check", "p50", "p95", "p99");
    for (name, nap) in [("that passes", Duration::ZERO), ("that sleeps 1 h", Duration::from_hours(1))] {
        let latencies = runtime.block_on(probe_load(nap))?;
        missed |= latencies.print(name, Some(Duration::from_millis(10)));
    }
    Ok(if missed && must_meet { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Measures the admin listener's liveness while all workers of the application are busy.
fn measure_beside_busy_workers(
    runtime: &Runtime,
    admin: SocketAddr,
    requests: usize,
) -> Result<bool, Box<dyn Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    for _ in 0..runtime.metrics().num_workers() {
        let is_over = Arc::clone(&is_over);
        runtime.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
    }
    let latencies = Latencies::measure(&mut Client::connect(admin)?, "/health/live", requests);
    is_over.store(true, Ordering::Relaxed);
    let target = Some(Duration::from_millis(50));
    Ok(latencies?.print("live, all busy", target))
}

/// Starts the service and its admin listener on free ports, after every agent has run once.
async fn start() -> Result<(SocketAddr, SocketAddr), Box<dyn Error>> {
    let pool = SqlitePool::connect("sqlite::memory:").await?;
    metrics::builder().series_limit(10 * AGENTS).init()?;
    let monitor = Monitor::builder()
        .service("endpoints-bench", env!("CARGO_PKG_VERSION"))
        .pool("main", &pool)
        .check(DatabaseCheck::new(pool))
        .check(DiskCheck::new(".").min_free_bytes(1))
        .admin_port(0)
        .build()?;
    let admin = monitor.admin_address().ok_or("there is no admin listener")?;
    for agent in 0..AGENTS {
        run(&agent_id(agent));
    }
    is_ready(&monitor).await;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { monitor.serve(listener, Router::new()).await });
    Ok((address, admin))
}

/// The latencies of concurrent probes, while the check passes repeatedly, or sleeps after it has passed once. A latency starts when
/// the probe's task first runs: the wait for a worker comes from the burst, and is the same for any answer.
async fn probe_load(nap: Duration) -> Result<Latencies, Box<dyn Error>> {
    let (runs, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&runs);
    let check = check_fn("napping", move || {
        let nap = if counted.fetch_add(1, Ordering::SeqCst) > 0 { nap } else { Duration::ZERO };
        async move {
            tokio::time::sleep(nap).await;
            Ok::<_, CheckError>(())
        }
    });
    let monitor = Monitor::builder()
        .check_interval(Duration::from_millis(1))
        .check(check.timeout(2 * Duration::from_hours(1)))
        .build()?;
    while runs.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = runs.load(Ordering::SeqCst);
    let mut probes = JoinSet::new();
    for _ in 0..PROBES {
        let (monitor, seen) = (monitor.clone(), Arc::clone(&seen));
        probes.spawn(async move {
            let start = Instant::now();
            let answer = monitor.ready();
            let took = start.elapsed();
            seen.fetch_add((answer.status() == 200).into(), Ordering::SeqCst);
            took
        });
    }
    let mut latencies = probes.join_all().await;
    if seen.load(Ordering::SeqCst) < PROBES {
        return Err("a probe was not answered 200".into());
    }
    if !nap.is_zero() && runs.load(Ordering::SeqCst) != before {
        return Err("the check ran again while it slept".into());
    }
    latencies.sort_unstable();
    Ok(Latencies(latencies))
}

#[track_agent(id = agent)]
fn run(agent: &str) {
    std::hint::black_box(agent);
}

fn agent_id(number: usize) -> String {
    format!("agent-{number:04}")
}

/// Checks that no scrape omits agents, since it would be measured as a fast one.
fn expect_every_agent(scrape: &str) -> Result<(), Box<dyn Error>> {
    for agent in (0..AGENTS).map(agent_id) {
        let series = format!("agent_executions_total{{agent_id=\"{agent}\",status=\"success\"}} 1\n");
        if !scrape.contains(&series) {
            return Err(format!("the scrape lacks {series}").into());
        }
    }
    Ok(())
}

/// The latencies of one endpoint, ascending.
struct Latencies(Vec<Duration>);

impl Latencies {
    fn measure(client: &mut Client, path: &str, requests: usize) -> io::Result<Self> {
        for _ in 0..requests / 10 {
            client.get(path)?;
        }
        let mut latencies = Vec::with_capacity(requests);
        for _ in 0..requests {
            let start = Instant::now();
            std::hint::black_box(client.get(path)?);
            latencies.push(start.elapsed());
        }
        latencies.sort_unstable();
        Ok(Self(latencies))
    }

    /// The given percentile of the latencies.
    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent).div_ceil(100) - 1]
    }

    /// Prints the endpoint's line, and returns whether it missed its target.
    fn print(&self, path: &str, target: Option<Duration>) -> bool {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| self.percentile(percent));
        let missed = target.is_some_and(|target| p95 >= target);
        let verdict = match target {
            None => "none".to_owned(),
            Some(target) => format!("< {} {}", target.as_millis(), if missed { "missed" } else { "met" }),
        };
        println!("{path:<18}{:>9.3}{:>9.3}{:>9.3}   {verdict}", millis(p50), millis(p95), millis(p99));
        missed
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
