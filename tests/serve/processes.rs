//! Services that are processes of their own, since these tests look at how a process ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use monitor_runtime::logging::WhenFull;
use monitor_runtime::{Monitor, logging, track_agent};
use serde_json::Value;

use crate::signal;
use crate::support::client::Client;
use crate::support::exposition::Exposition;
use crate::support::subprocess::{self, Subprocess};

/// Its part is the kind of service that it is.
const SERVICE: Subprocess = Subprocess::new(module_path!(), "service");

const HOUR: Duration = Duration::from_hours(1);

/// How long a process may take to end that should end at once.
const AT_ONCE: Duration = Duration::from_mins(2);

#[track_agent("blocking_agent")]
fn block() {
    tracing::info!("blocking");
    std::thread::sleep(HOUR);
}

#[track_agent(id = format!("agent number {number} of those that make a scrape large"))]
fn be_counted(number: u32) {}

/// Blocks this worker for an hour, and one more. Of two spawned tasks the second waits for this worker, the first for any.
async fn block_two_workers() {
    for _ in 0..2 {
        tokio::spawn(async { block() });
    }
    block();
}

/// Opens files until there are no more, and says how many.
fn take_all_descriptors() -> usize {
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let mut taken = TAKEN.lock().unwrap();
    taken.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
    taken.len()
}

#[test]
#[ignore = "run by the tests of this file, in a process of its own"]
fn service() {
    let Some(kind) = subprocess::part() else { return };
    let guard = match &*kind {
        "stalled" => {
            logging::Logging::builder().when_full(WhenFull::Block).queue_bytes(4_096).init().unwrap()
        }
        _ => logging::init().unwrap(),
    };
    let mut builder = match &*kind {
        "current_thread" => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let app = Router::new()
            .route("/files", get(async || take_all_descriptors().to_string()))
            .route("/held", get(async || std::future::pending::<()>().await))
            .route("/block", get(block_two_workers));
        let monitor = Monitor::builder()
            .drain_delay(if kind == "patient" { HOUR } else { Duration::ZERO })
            .shutdown_timeout(Duration::from_millis(300))
            .grace_period(2 * HOUR);
        let monitor = if kind == "limited" { monitor.admin_port(0) } else { monitor };
        let monitor = monitor.build().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = monitor.admin_address().map(|address| address.to_string());
        tracing::info!(address = %listener.local_addr().unwrap(), admin, "listening");
        if kind == "counted" {
            (0..1_900).for_each(be_counted);
        }
        if kind == "stalled" {
            std::thread::spawn(|| {
                loop {
                    tracing::info!("a line that nobody reads");
                }
            });
        }
        let served = monitor.serve(listener, app);
        // Of this one it is asked whether it serves at all.
        let served = async {
            if kind == "few" {
                tokio::time::timeout(Duration::from_millis(200), served).await.unwrap_or(Ok(()))
            } else {
                served.await
            }
        };
        if let Err(error) = served.await {
            tracing::error!(error = %error, "not served");
        }
        if kind != "stalled" {
            tracing::info!("the application's own last line");
        }
    });
    // As an application does that has blocking code: it does not wait for that.
    runtime.shutdown_background();
    if kind == "stalled" {
        drop(guard);
        // The test harness would wait to say how it went.
        std::process::exit(0);
    }
}

struct Service {
    child: Child,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
    admin: Option<Client>,
}

impl Service {
    fn start(kind: &str) -> Self {
        Self::from_command(SERVICE.command(kind))
    }

    /// Starts it with that many file descriptors.
    fn start_limited(descriptors: u32) -> Self {
        Self::from_command(SERVICE.command_with_descriptors(descriptors, "limited"))
    }

    fn from_command(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut service = Self { child, output, address: ([127, 0, 0, 1], 0).into(), admin: None };
        let listening = service.next_line();
        service.address = listening["address"].as_str().unwrap().parse().unwrap();
        service.admin = listening["admin"].as_str().map(|admin| Client(admin.parse().unwrap()));
        service
    }

    fn next_line(&mut self) -> Value {
        let mut lines = self.output.by_ref().lines().map(Result::unwrap);
        lines.find_map(|line| logged(&line)).expect("it ended without another line")
    }

    /// Sends a request whose answer nobody waits for.
    fn send(&self, path: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).unwrap();
        connection
    }

    /// Waits until it has been answered, by when its signal handlers are there and all it was sent before has been read.
    fn wait_until_up(&self) {
        let mut answer = [0; 8];
        self.send("/health/live").read_exact(&mut answer).unwrap();
    }

    /// Waits until its log stalls: the pipe is full, and nobody reads it before the process has ended.
    fn wait_until_stalled(&self) {
        let lines = || {
            let scrape = Client(self.address).send("GET", "/health/metrics", &[], "").body;
            Exposition::read(&scrape).count("log_events_written_total")
        };
        let (start, mut before, mut alike) = (Instant::now(), None, 0);
        // A busy machine leaves the process alone for longer than one pause.
        while alike < 10 {
            assert!(start.elapsed() < AT_ONCE, "its log goes on");
            std::thread::sleep(Duration::from_millis(50));
            let now = lines();
            alike = if now.is_some() && now == before { alike + 1 } else { 0 };
            before = now;
        }
    }

    fn stop(&self) {
        signal(self.child.id(), "-TERM");
    }

    /// Waits for the end: the exit code, and what has been logged until then.
    fn ended(mut self) -> (Option<i32>, Vec<Value>) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < AT_ONCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        };
        let lines = self.output.by_ref().lines().map(Result::unwrap);
        (status.code(), lines.filter_map(|line| logged(&line)).collect())
    }
}

/// The line of the log, or `None` for what the test harness says.
fn logged(line: &str) -> Option<Value> {
    // It says the test's name in front of the first.
    let start = line.find("{\"timestamp\"")?;
    Some(serde_json::from_str(&line[start..]).unwrap())
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn events(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["event"].as_str().unwrap()).collect()
}

#[test]
fn a_process_stops_although_its_blocking_log_is_stalled() {
    let mut service = Service::start("stalled");
    service.wait_until_up();
    service.wait_until_stalled();
    service.stop();
    let start = Instant::now();
    while service.child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < AT_ONCE, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

/// Fewer than two waits of the log one after the other take, and more than one takes on a busy machine.
const LAST_LINES: Duration = Duration::from_secs(8);

#[test]
fn a_stalled_output_holds_up_the_end_once_only() {
    let mut service = Service::start("stalled");
    service.wait_until_up();
    service.wait_until_stalled();
    let told = Instant::now();
    service.stop();
    service.child.wait().unwrap();
    assert!(told.elapsed() < LAST_LINES, "{:?}", told.elapsed());
}

#[test]
fn a_second_signal_ends_the_wait_for_a_stalled_output() {
    let mut service = Service::start("stalled");
    service.wait_until_up();
    service.wait_until_stalled();
    let told = Instant::now();
    while service.child.try_wait().unwrap().is_none() {
        // The first begins the last stage, any other ends it.
        service.stop();
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(told.elapsed() < LAST_LINES / 2, "{:?}", told.elapsed());
}

#[test]
fn scrapers_that_do_not_read_hold_no_scrape_each() {
    // So many that their scrapes outweigh what the allocator keeps of the renderings.
    const SCRAPERS: u64 = 150;
    let mut service = Service::start("counted");
    let whole = Client(service.address).send("GET", "/health/metrics", &[], "").body;
    // Much more than the kernel takes for a client that does not read, so that the rest of each would stay here.
    assert!(whole.len() > 3_000_000, "{}", whole.len());
    let resident = |text: &str| value(text, "process_resident_memory_bytes");
    let before = resident(&whole);
    let mut scrapers = Vec::new();
    for _ in 0..SCRAPERS {
        scrapers.push(service.send("/health/metrics"));
        // Not at the same time, as then they would share one.
        std::thread::sleep(Duration::from_millis(30));
    }
    let after = Client(service.address).send("GET", "/health/metrics", &[], "").body;
    assert!(after.ends_with('\n') && after.len() > 3_000_000, "one that reads gets it whole");
    let grown = resident(&after).saturating_sub(before);
    assert!(grown < SCRAPERS * 3_000_000 / 2, "{grown} bytes for {SCRAPERS} scrapers");
    assert_eq!(
        service.next_line()["event"],
        "scrapes cut: their clients have not taken them, and newer ones came"
    );
}

fn value(text: &str, series: &str) -> u64 {
    Exposition::read(text).count(series).unwrap_or_else(|| panic!("no {series} in {text}"))
}

#[test]
fn two_thousand_slow_clients_block_no_port_and_no_stop() {
    const CLIENTS: usize = 2_000;
    let all = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit { current: all.maximum, maximum: all.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all).unwrap();

    let service = Service::start_limited(1_024);
    service.wait_until_up();
    let half_a_head = b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-a: ";
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(service.address).unwrap();
        // One that was closed already has made room for others.
        let _ = client.write_all(half_a_head);
        clients.push(client);
    }
    let admin = service.admin.unwrap();
    for path in ["/health/live", "/health/ready", "/health/metrics"] {
        assert_eq!(admin.send("GET", path, &[], "").status, 200, "{path}");
    }
    assert_eq!(Client(service.address).send("GET", "/health/live", &[], "").status, 200);
    let text = admin.send("GET", "/health/metrics", &[], "").body;
    assert_eq!(value(&text, "process_max_fds"), 1_024);
    let open = value(&text, "http_connections_open{listener=\"main\"}");
    assert!((500..900).contains(&open), "{open} are open");
    let made_room = value(&text, "http_connections_closed_total{listener=\"main\",reason=\"made_room\"}");
    assert!(made_room >= 1_000, "{made_room} made room");

    service.stop();
    let (code, lines) = service.ended();
    assert_eq!(code, Some(0));
    let told = lines.iter().filter(|line| line["event"] == "connections closed for their clients' silence");
    assert!((1..10).contains(&told.count()), "there is a line at times, and not one a client: {lines:?}");
    let events = events(&lines);
    assert_eq!(events[events.len() - 2..], ["stopped: nothing was cut", "the application's own last line"]);
}

#[test]
fn without_descriptors_the_admin_port_answers_and_says_so() {
    let mut service = Service::start_limited(256);
    service.wait_until_up();
    let taken = Client(service.address).send("GET", "/files", &[], "");
    assert_ne!(taken.body, "0");
    // Time for the server to release the descriptors of that connection.
    std::thread::sleep(Duration::from_millis(100));
    let admin = service.admin.unwrap();
    let waiting: Vec<_> = (0..3).map(|_| service.send("/health/live")).collect();
    assert_eq!(service.next_line()["event"], "connections wait: they cannot be accepted");
    for _ in 0..20 {
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(admin.send("GET", path, &[], "").status, 200, "{path}");
        }
        let text = admin.send("GET", "/health/metrics", &[], "").body;
        assert_eq!(value(&text, "process_max_fds"), 256);
        assert!(value(&text, "process_open_fds") >= 250, "{text}");
        assert!(value(&text, "http_connections_refused_total{listener=\"main\",reason=\"descriptors\"}") > 0);
    }
    drop(waiting);
}

#[test]
fn with_too_few_descriptors_it_says_so_and_does_not_serve() {
    // The descriptors that such a process has open by itself, and one to three more.
    for descriptors in 14..40 {
        let output = SERVICE.command_with_descriptors(descriptors, "few").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        if text
            .contains("descriptors that the process may open are in use; expected at least 4 that are free")
        {
            return;
        }
    }
    panic!("it never said so");
}

#[test]
fn told_to_stop_a_process_exits_0_with_every_line_written() {
    let service = Service::start("prompt");
    let _waiting = service.send("/held");
    service.wait_until_up();
    service.stop();
    let (code, lines) = service.ended();
    assert_eq!(code, Some(0));
    assert_eq!(
        events(&lines),
        [
            "draining: readiness answers 503",
            "stopping: what is in flight may finish",
            "request cut",
            "stopped before all was done",
            "the application's own last line"
        ]
    );
}

#[test]
fn told_twice_a_process_exits_0_at_once() {
    let mut service = Service::start("patient");
    service.wait_until_up();
    service.stop();
    assert_eq!(service.next_line()["event"], "draining: readiness answers 503");
    service.stop();
    let (code, lines) = service.ended();
    assert_eq!(code, Some(0));
    assert_eq!(events(&lines), ["stopped: nothing was cut", "the application's own last line"]);
    assert_eq!(lines[0]["reason"], "a second signal, SIGTERM");
}

#[test]
fn with_all_workers_blocked_a_stop_logs_its_cuts_and_exits_0() {
    let mut service = Service::start("prompt");
    let _waiting = service.send("/block");
    for _ in 0..2 {
        assert_eq!(service.next_line()["event"], "blocking");
    }
    service.stop();
    let (code, lines) = service.ended();
    assert_eq!(code, Some(0));
    assert_eq!(
        events(&lines)[2..],
        ["request cut", "agent cut", "stopped before all was done", "the application's own last line"]
    );
    assert_eq!((&lines[2]["endpoint"], &lines[2]["count"]), (&"/block".into(), &1.into()));
    assert_eq!((&lines[3]["agent_id"], &lines[3]["count"]), (&"blocking_agent".into(), &2.into()));
}

#[test]
fn with_its_only_thread_blocked_a_stop_logs_and_exits_0() {
    let mut service = Service::start("current_thread");
    let _waiting = service.send("/block");
    assert_eq!(service.next_line()["event"], "blocking");
    service.stop();
    let (code, lines) = service.ended();
    assert_eq!(code, Some(0));
    assert_eq!(
        events(&lines)[2..],
        [
            "request cut",
            "agent cut",
            "stopped before all was done",
            "the runtime is blocked and cannot return: ending the process"
        ]
    );
}
