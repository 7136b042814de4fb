//! The example service in a process of its own, as a newcomer starts it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, Response};
use super::exposition::Exposition;

/// Enough for a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

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
    command.args(["--port", "0"]);
    for variable in ["DATABASE_URL", "LOG_LEVEL", "LOG_FORMAT", "RUST_LOG"] {
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
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
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
        let mut service = Self::spawn(command);
        service.address = service.wait_for_address();
        service
    }

    fn spawn(command: &mut Command) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let command = command.env("TMPDIR", temporary.path()).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let reader = Some(read_lines(child.stdout.take().unwrap(), Arc::clone(&log)));
        Self { child, address: ([127, 0, 0, 1], 0).into(), log, reader, temporary }
    }

    /// Waits for the end, and for the last line.
    fn wait(&mut self) -> ExitStatus {
        let status = eventually("it ends", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        let left = std::fs::read_dir(self.temporary.path()).unwrap().count();
        assert_eq!(left, 0, "it leaves something behind");
        status
    }

    /// Starts a service on these notes.
    pub(crate) fn on(notes: &TempDir) -> Self {
        Self::start(command().arg("--docs").arg(notes.path()))
    }

    fn wait_for_address(&mut self) -> SocketAddr {
        let address = eventually("it says where it listens", || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended: {}", self.stderr());
            let log = self.log();
            let listening = log.iter().find(|line| line["event"] == "listening")?;
            Some(listening["address"].as_str().unwrap().to_owned())
        });
        address.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().iter().map(|line| parsed(line)).collect()
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

    /// Stops the service as an orchestrator does, and waits for its end.
    pub(crate) fn stop(mut self) -> Ended {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.wait();
        Ended { status, log: self.log(), stderr: self.stderr() }
    }

    /// What an ended service has left on standard error.
    fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
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
    assert!(service.log().iter().all(|line| line["event"] != "listening"), "it started");
    let said = service.stderr();
    let line = said.strip_suffix('\n').unwrap_or_else(|| panic!("no whole line: {said:?}"));
    assert!(!line.contains('\n'), "more than one line: {said}");
    let line = line.strip_prefix("agent_service: ").unwrap_or_else(|| panic!("who says so? {line}"));
    (status.code().expect("an exit code"), line.to_owned())
}

fn read_lines(stdout: ChildStdout, into: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            into.lock().unwrap().push(line.unwrap());
        }
    })
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
