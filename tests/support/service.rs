//! The example service in a process of its own, as a newcomer starts it.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, Response};
use super::exposition::Exposition;

/// Enough for a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// The text before the address that the service prints on standard error when it is up.
pub(crate) const LISTENING: &str = "agent_service: listening on http://";

/// A small folder of notes, whose answers the tests know.
pub(crate) fn notes() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "tea.md",
        "# Tea\n\n## Green tea\n\nGreen tea wants water of 80 degrees.\n\n## Black tea\n\nIt wants boiling water.\n",
    );
    std::fs::create_dir(folder.path().join("table")).unwrap();
    write("table/cups.md", "# Cups\n\nWarm the cups before you pour.\n");
    folder
}

/// The service's command, on a free port, with nothing that the machine happens to have set.
pub(crate) fn command() -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.args(["--port", "0", "--drain-delay", "0"]);
    for variable in ["DATABASE_URL", "LOG_LEVEL", "LOG_FORMAT", "OPENAI_API_KEY", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

/// The example as it is now: a test of its own (`cargo test --test …`) would not build it.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests are in target/<profile>/deps");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--package", "monitor", "--example", "agent_service"]);
    cargo.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    cargo.arg("--target-dir").arg(profile.parent().expect("profiles are in target"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "the example does not build");
    profile.join("examples/agent_service")
});

/// A service that is up; killed when dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Output,
    stderr: Output,
    /// Where it keeps what it does not keep.
    temporary: TempDir,
}

/// A service that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) log: Vec<Value>,
    pub(crate) stderr: String,
}

impl Service {
    /// Starts a service and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::spawn(command).up()
    }

    /// Waits until it says where it listens.
    pub(crate) fn up(mut self) -> Self {
        self.address = self.wait_for_address();
        self
    }

    /// Starts a service and does not wait; it has no address.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let command = command.env("TMPDIR", temporary.path()).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Output::of(child.stdout.take().unwrap());
        let stderr = Output::of(child.stderr.take().unwrap());
        Self { child, address: ([127, 0, 0, 1], 0).into(), log, stderr, temporary }
    }

    /// Waits for the end, and for the last line.
    fn wait(&mut self) -> ExitStatus {
        let status = eventually("it ends", || self.child.try_wait().unwrap());
        self.log.read_to_end();
        self.stderr.read_to_end();
        assert!(!self.has_temporary_files(), "it leaves something behind");
        status
    }

    /// Whether it keeps anything where the machine keeps what does not last.
    pub(crate) fn has_temporary_files(&self) -> bool {
        std::fs::read_dir(self.temporary.path()).unwrap().next().is_some()
    }

    /// Starts a service on these notes.
    pub(crate) fn on(notes: &TempDir) -> Self {
        Self::start(command().arg("--docs").arg(notes.path()))
    }

    fn wait_for_address(&mut self) -> SocketAddr {
        let address = eventually("it says where it listens", || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", self.stderr());
            self.stderr().lines().find_map(|line| line.strip_prefix(LISTENING).map(str::to_owned))
        });
        address.parse().unwrap()
    }

    /// Waits until every check has passed.
    pub(crate) fn ready(self) -> Self {
        eventually("it is ready", || (self.get("/health/ready").status == 200).then_some(()));
        self
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.text().lines().map(parsed).collect()
    }

    pub(crate) fn ask(&self, question: &str) -> Response {
        self.post(&serde_json::json!({ "question": question }).to_string())
    }

    pub(crate) fn post(&self, body: &str) -> Response {
        self.client().send("POST", "/ask", &[], body)
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.client().send("GET", path, &[], "")
    }

    pub(crate) fn client(&self) -> Client {
        Client(self.address)
    }

    /// The runs that are listed, the newest first.
    pub(crate) fn runs(&self) -> Vec<Value> {
        let response = self.get("/runs");
        assert_eq!(response.status, 200, "{}", response.body);
        response.json()["runs"].as_array().unwrap().clone()
    }

    /// A scrape, read strictly.
    pub(crate) fn metrics(&self) -> Exposition {
        let Response { status, body, .. } = self.get("/health/metrics");
        assert_eq!(status, 200, "{body}");
        Exposition::parse(&body).unwrap_or_else(|violation| panic!("{violation}\n{body}"))
    }

    /// Sends a signal, and does not wait for what comes of it.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Stops the service as an orchestrator does, and waits for its end.
    pub(crate) fn stop(self) -> Ended {
        self.stop_by("-TERM")
    }

    /// Stops the service by a signal, and waits for its end.
    pub(crate) fn stop_by(mut self, signal: &str) -> Ended {
        self.signal(signal);
        let status = self.wait();
        Ended { status, log: self.log(), stderr: self.stderr() }
    }

    /// Everything on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command that should fail to start, and gives its exit code and what it says: one line, and no log but JSON.
pub(crate) fn refusal(command: &mut Command) -> (i32, String) {
    let mut service = Service::spawn(command);
    let status = service.wait();
    let said = service.stderr();
    assert!(!said.contains(LISTENING), "it started");
    service.log();
    let line = said.strip_suffix('\n').unwrap_or_else(|| panic!("no whole line: {said:?}"));
    assert!(!line.contains('\n'), "more than one line: {said}");
    let line = line.strip_prefix("agent_service: ").unwrap_or_else(|| panic!("who says so? {line}"));
    (status.code().expect("an exit code"), line.to_owned())
}

/// The output of a process, read line by line.
struct Output {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Output {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let (mut stream, mut line) = (BufReader::new(stream), String::new());
            while stream.read_line(&mut line).unwrap() > 0 {
                into.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn read_to_end(&mut self) {
        self.reader.take().unwrap().join().unwrap();
    }
}

/// A line of the log: an object that begins as all of them do.
fn parsed(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let position =
        |key: &str| line.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key}: {line}"));
    assert!(["timestamp", "level", "logger", "event"].map(position).is_sorted(), "{line}");
    value
}

/// Looks again and again until there is something to see.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        if let Some(seen) = look() {
            return seen;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("not within {DEADLINE:?}: {what}");
}
