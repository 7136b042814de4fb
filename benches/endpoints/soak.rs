//! Measures the memory of a service under load, for ten minutes.
//!
//! ```sh
//! cargo bench -p monitor-endpoints-bench --bench soak                   # ten minutes
//! cargo bench -p monitor-endpoints-bench --bench soak -- --quick        # ten seconds
//! cargo bench -p monitor-endpoints-bench --bench soak -- --seconds 60
//! cargo bench -p monitor-endpoints-bench --bench soak -- --check        # and fails if it grows
//! ```
//!
//! The service answers questions by an agent with a skill, with every outcome, and logs each; it is probed and scraped meanwhile.
//! After a tenth of the time, in which buffers reach their size, its resident memory is read four times a second. Its growth is the
//! median of the last quarter of the readings minus that of the first.

mod client;
mod ready;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use monitor_runtime::health::{DatabaseCheck, DiskCheck};
use monitor_runtime::logging::Logging;
use monitor_runtime::{Monitor, track_agent, track_skill};
use sqlx::SqlitePool;
use tokio::net::TcpListener;

use client::Client;
use ready::is_ready;

/// Number of clients, each with its own connection.
const CLIENTS: usize = 4;

/// Pause between two questions of one client: short enough to load the service, and long enough to leave the machine to others.
const PAUSE: Duration = Duration::from_millis(4);

/// Pause between two probes and scrapes.
const WATCH: Duration = Duration::from_millis(250);

/// Maximum growth: a fiftieth, or a megabyte if that is more.
const PARTS: u64 = 50;
const LEAST_KB: u64 = 1_024;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut seconds, mut must_meet) = (600, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => seconds = 10,
            "--seconds" => seconds = arguments.next().ok_or("--seconds needs a number")?.parse()?,
            "--check" => must_meet = true,
            // What `cargo bench` says to every bench.
            "--bench" => {}
            unknown => {
                return Err(
                    format!("unknown argument {unknown}; expected --quick, --seconds or --check").into()
                );
            }
        }
    }
    let _guard = Logging::builder().writer(io::sink()).init()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (address, admin) = runtime.block_on(start())?;
    let soak = Soak::run(address, admin, Duration::from_secs(seconds))?;
    let is_flat = soak.print(seconds);
    Ok(if must_meet && !is_flat { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Starts the service and its admin listener on free ports.
async fn start() -> Result<(SocketAddr, SocketAddr), Box<dyn Error>> {
    let pool = SqlitePool::connect("sqlite::memory:").await?;
    let monitor = Monitor::builder()
        .service("soak-bench", env!("CARGO_PKG_VERSION"))
        .pool("main", &pool)
        .check(DatabaseCheck::new(pool))
        .check(DiskCheck::new(".").min_free_bytes(1))
        .admin_port(0)
        .build()?;
    let admin = monitor.admin_address().ok_or("there is no admin listener")?;
    is_ready(&monitor).await;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/ask/{number}", get(ask));
    tokio::spawn(async move { monitor.serve(listener, app).await });
    Ok((address, admin))
}

/// Of ten questions, one is an error inside and one is cancelled half-way; each is answered.
async fn ask(Path(number): Path<u64>) -> Result<String, StatusCode> {
    let agent = format!("agent-{:02}", number % 50);
    match number % 10 {
        8 => drop(answer(&agent, 0).await),
        9 => drop(tokio::time::timeout(Duration::from_micros(1), answer(&agent, u64::MAX)).await),
        _ => return answer(&agent, number).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR),
    }
    Ok("no answer".to_owned())
}

#[track_agent(id = agent, fields(number))]
async fn answer(agent: &str, number: u64) -> io::Result<String> {
    let found = search(number).await?;
    tracing::info!(found, "answered");
    Ok(format!("{agent} found {found}"))
}

#[track_skill("search", log_errors = "warn")]
async fn search(number: u64) -> io::Result<u64> {
    match number {
        0 => Err(io::Error::other("nothing found")),
        u64::MAX => std::future::pending().await,
        number => Ok(number),
    }
}

/// The observations of the service.
struct Soak {
    /// Resident kilobytes, in the order of their reading.
    readings: Vec<u64>,
    requests: usize,
}

impl Soak {
    fn run(address: SocketAddr, admin: SocketAddr, time: Duration) -> io::Result<Self> {
        let (begun, requests, number) = (Instant::now(), AtomicUsize::new(0), AtomicU64::new(1));
        let clients_load = || -> io::Result<()> {
            let mut client = Client::connect(address)?;
            while begun.elapsed() < time {
                client.get(&format!("/ask/{}", number.fetch_add(1, Ordering::Relaxed)))?;
                requests.fetch_add(1, Ordering::Relaxed);
                thread::sleep(PAUSE);
            }
            Ok(())
        };
        let readings = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(clients_load)).collect();
            let readings = watch(address, admin, begun, time);
            clients.into_iter().try_for_each(|client| {
                client.join().unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
            })?;
            readings
        })?;
        Ok(Self { readings, requests: requests.into_inner() })
    }

    /// Prints the observations, and returns whether the memory was flat.
    fn print(&self, seconds: u64) -> bool {
        let quarter = self.readings.len() / 4;
        let [first, last] =
            [&self.readings[..quarter], &self.readings[self.readings.len() - quarter..]].map(median);
        let grown = last.saturating_sub(first);
        let allowed = (first / PARTS).max(LEAST_KB);
        let verdict = if grown <= allowed { "flat" } else { "growing" };
        println!(
            "{} requests in {seconds} s; resident memory {first} kB at first, {last} kB at last, {grown} kB more of {allowed} \
             kB allowed: {verdict}",
            self.requests
        );
        println!("RATIO soak_memory_growth {:.4}", last as f64 / first as f64);
        grown <= allowed
    }
}

/// Probes and scrapes, and reads the memory once the service has warmed up.
fn watch(address: SocketAddr, admin: SocketAddr, begun: Instant, time: Duration) -> io::Result<Vec<u64>> {
    let (mut client, mut admin) = (Client::connect(address)?, Client::connect(admin)?);
    let mut readings = Vec::new();
    while begun.elapsed() < time {
        client.get("/health/ready")?;
        client.get("/health/metrics")?;
        admin.get("/health/live")?;
        if begun.elapsed() > time / 10 {
            readings.push(resident_kilobytes()?);
        }
        thread::sleep(WATCH);
    }
    Ok(readings)
}

fn median(readings: &[u64]) -> u64 {
    let mut sorted = readings.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(1)
}

fn resident_kilobytes() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let number = value.and_then(|value| value.trim().parse().ok());
    number.ok_or_else(|| io::Error::other("no VmRSS in /proc/self/status"))
}
