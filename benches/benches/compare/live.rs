//! Requests a second of `/health/live`, by `Monitor::serve`, over a bare axum route that returns the same bytes.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use monitor_runtime::Monitor;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::harness::{Contender, race};
use crate::report::{Figures, print};
use crate::sections::Effort;

const CONNECTIONS: usize = 8;

/// Requests in a turn: enough to outweigh the switch from one server to the other.
const REQUESTS: u64 = 32 * CONNECTIONS as u64;

pub(crate) fn run(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let monitor = Monitor::builder().service("compare", "1").build()?;
    let mut ours =
        Client::connect(start(async move |listener| monitor.serve(listener, Router::new()).await)?)?;
    let mut bare = Client::connect(start(async |listener| axum::serve(listener, bare()).await)?)?;
    if ours.shape != bare.shape {
        return Err(format!("ours answers {}\nand the bare route {}", ours.shape, bare.shape).into());
    }
    let race = race(
        vec![
            Contender::timed("a bare axum route", |times| bare.time(times)).batch(REQUESTS),
            Contender::timed("/health/live", |times| ours.time(times)).batch(REQUESTS),
        ],
        effort.rounds(600),
    );
    print("a request over a real socket, eight connections", &race, |_| None);
    let per_second = |name| race.cost(name).recip();
    Ok(vec![("live_over_bare_route", per_second("/health/live") / per_second("a bare axum route"))])
}

fn bare() -> Router {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Router::new().route("/health/live", get(async move || (headers, r#"{"status":"alive"}"#)))
}

/// Starts a server on its own thread and runtime, for the life of the process.
fn start<F>(serve: F) -> Result<SocketAddr, Box<dyn Error>>
where
    F: AsyncFnOnce(TcpListener) -> io::Result<()> + Send + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    thread::spawn(move || runtime.block_on(serve(listener)));
    Ok(address)
}

/// Kept connections to one server.
struct Client {
    connections: Vec<TcpStream>,
    /// One answer; only its date changes.
    answer: Vec<u8>,
    shape: String,
}

impl Client {
    fn connect(server: SocketAddr) -> io::Result<Self> {
        let mut connections = (0..CONNECTIONS).map(|_| connect(server)).collect::<io::Result<Vec<_>>>()?;
        let mut answer = Vec::new();
        let mut shape = String::new();
        for connection in &mut connections {
            answer = first_answer(connection)?;
            let text = String::from_utf8_lossy(&answer);
            shape = text.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n");
        }
        Ok(Self { connections, answer, shape })
    }

    /// The time of the given number of requests, one on each connection at a time.
    fn time(&mut self, requests: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..requests / CONNECTIONS as u64 {
            self.ask_on_each().unwrap_or_else(|error| panic!("the server does not answer: {error}"));
        }
        start.elapsed()
    }

    fn ask_on_each(&mut self) -> io::Result<()> {
        for connection in &mut self.connections {
            connection.write_all(REQUEST)?;
        }
        for connection in &mut self.connections {
            connection.read_exact(&mut self.answer)?;
        }
        Ok(())
    }
}

const REQUEST: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: compare\r\n\r\n";

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect(server)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(connection)
}

fn first_answer(connection: &mut TcpStream) -> io::Result<Vec<u8>> {
    connection.write_all(REQUEST)?;
    let mut answer = Vec::new();
    while !answer.ends_with(br#"{"status":"alive"}"#) {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        answer.extend_from_slice(&byte);
    }
    Ok(answer)
}
