//! What a run of the gates promises of its surroundings: it ends when it is told to and leaves nothing behind, and settings of
//! the machine do not reach the tests.
//!
//! Each run here has its own PostgreSQL and MariaDB, as every run has, and a stub in the place of Cargo.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

/// Tests that never end, with a process of their own and a temporary folder.
const CARGO: &str = r#"#!/usr/bin/env bash
case $* in
xtask*) env >"$SEEN/environment"; echo "$*"; exit ;;
metadata*) echo "$REFUSAL" >&2; exit 101 ;;
test*) ;;
*) exit 0 ;;
esac
sleep 600 &
env >"$SEEN/environment"
mktemp -d >"$SEEN/folder"
echo "$$ $!" >"$SEEN/processes"
wait
"#;

/// On a busy machine it takes a while until the databases are there.
const PATIENCE: Duration = Duration::from_mins(4);

/// A folder that commands leave word in, with the stub.
struct Stub(TempDir);

impl Stub {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cargo = folder.path().join("cargo");
        fs::write(&cargo, CARGO).unwrap();
        fs::set_permissions(cargo, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// A command that finds the stub where Cargo would be.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program.as_ref());
        command.env("PATH", path).env("SEEN", self.0.path()).stdin(Stdio::null());
        command
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap_or_default()
    }

    fn tests_see(&self, setting: &str) -> bool {
        self.read("environment").lines().any(|line| line == setting)
    }
}

/// A run of the gates whose tests have begun.
struct Run {
    stub: Stub,
    process: Child,
    scratch: PathBuf,
}

impl Run {
    fn start() -> Self {
        Self::start_with(&[], |command| command)
    }

    fn start_with(options: &[&str], change: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let stub = Stub::new();
        let output = File::create(stub.0.path().join("output")).unwrap();
        let mut command = stub.command("env");
        // A caller that ignores a signal, as nohup and a shell's background jobs do, passes that on.
        command.arg("--default-signal=HUP,INT,TERM").args(options);
        command.args([env!("CARGO_BIN_EXE_xtask"), "test", "never-ending"]);
        let process = change(command.process_group(0).stdout(output.try_clone().unwrap()).stderr(output));
        let process = process.spawn().unwrap();
        let mut run = Self { stub, process, scratch: PathBuf::new() };
        run.wait_for_tests();
        run
    }

    fn wait_for_tests(&mut self) {
        let mut has_ended = || self.process.try_wait().unwrap().is_some();
        wait_until(|| !self.stub.read("processes").is_empty() || has_ended());
        let processes = self.stub.read("processes");
        assert!(!processes.is_empty(), "its tests never ran: {}", self.stub.read("output"));
        let folder = PathBuf::from(self.stub.read("folder").trim());
        folder.ancestors().nth(2).unwrap().clone_into(&mut self.scratch);
        let scratch = self.scratch.display().to_string();
        assert!(scratch.starts_with("/tmp/monitor-gates."), "temporary folders are elsewhere: {scratch}");
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Sends the signal and expects the run to end with the status, without leaving anything.
    fn ends_on(mut self, signal: Signal, status: i32) {
        self.send(signal);
        wait_until(|| self.process.try_wait().unwrap().is_some());
        assert_eq!(self.process.wait().unwrap().code(), Some(status), "{}", self.stub.read("output"));
        self.left_nothing();
    }

    fn left_nothing(&self) {
        for process in self.tests_processes() {
            wait_until(|| test_kill_process(process).is_err());
        }
        let output = self.stub.read("output");
        let ports = output.lines().filter_map(|line| line.split_once(" listens on 127.0.0.1:"));
        let ports: Vec<u16> = ports.map(|(_, port)| port.parse().unwrap()).collect();
        assert_eq!(ports.len(), 2, "{output}");
        for port in ports {
            wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
        }
        assert!(!self.scratch.exists(), "{} was left", self.scratch.display());
    }

    fn tests_processes(&self) -> Vec<Pid> {
        let processes = self.stub.read("processes");
        processes.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.send(Signal::TERM);
            let _ = self.process.wait();
        }
    }
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never happened");
        sleep(Duration::from_millis(50));
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn run_ends_on_term() {
    Run::start().ends_on(Signal::TERM, 143);
}

#[test]
fn run_ends_on_int() {
    Run::start().ends_on(Signal::INT, 130);
}

#[test]
fn run_ends_on_hup() {
    Run::start().ends_on(Signal::HUP, 129);
}

/// As under nohup, and as a background job of a script.
#[test]
fn ignored_signals_stay_ignored() {
    let mut run = Run::start_with(&["--ignore-signal=HUP,INT"], |command| command);
    run.send(Signal::HUP);
    run.send(Signal::INT);
    sleep(Duration::from_secs(1));
    assert!(run.process.try_wait().unwrap().is_none(), "it has ended");
    run.ends_on(Signal::TERM, 143);
}

#[test]
fn second_signal_does_not_cut_the_cleaning_short() {
    let run = Run::start();
    run.send(Signal::INT);
    for process in run.tests_processes() {
        wait_until(|| test_kill_process(process).is_err());
    }
    // It now stops the databases.
    run.ends_on(Signal::TERM, 130);
}

#[test]
fn settings_of_the_machine_do_not_reach_the_tests() {
    let settings = [
        ("TRYBUILD", "overwrite"),
        ("PGSSLMODE", "verify-full"),
        ("PGOPTIONS", "-cfoo"),
        ("PROPTEST_CASES", "1"),
        ("NO_COLOR", "1"),
        ("LOG_LEVEL", "off"),
        ("DATABASE_URL", "x"),
        ("CARGO_PROFILE_DEV_PANIC", "abort"),
        ("CARGO_BUILD_TARGET", "x"),
        ("RUSTC_BOOTSTRAP", "1"),
        ("MONITOR_TEST_SCENARIO", "x"),
    ];
    let run = Run::start_with(&[], |command| command.envs(settings).env("RUSTFLAGS", "--kept"));
    for (name, value) in settings {
        assert!(!run.stub.tests_see(&format!("{name}={value}")), "{name}");
    }
    assert!(run.stub.tests_see("RUSTFLAGS=--kept"));
    run.ends_on(Signal::TERM, 143);
}

/// A killed run cannot clean up; its servers end by themselves, and the next run removes its folder.
#[test]
fn next_run_removes_what_a_killed_run_left() {
    let mut killed = Run::start();
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();
    for process in killed.tests_processes() {
        kill_process(process, Signal::KILL).unwrap();
    }
    // Old enough not to be one that is just being made. Another run beside this one may have removed it meanwhile.
    if let Ok(folder) = File::open(&killed.scratch) {
        folder.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    }
    Run::start().ends_on(Signal::TERM, 143);
    killed.left_nothing();
}

/// Runs the script from another folder, with what Cargo says of the manifests.
fn run_script(stub: &Stub, refusal: &str, arguments: &[&str]) -> Output {
    let mut script = stub.command(root().join("scripts/test"));
    script.env("REFUSAL", refusal).env("CDPATH", "/").args(arguments).current_dir("/");
    script.envs([
        ("CARGO_BUILD_TARGET", "x"),
        ("CARGO_PROFILE_DEV_PANIC", "abort"),
        ("RUSTC_BOOTSTRAP", "1"),
    ]);
    script.output().unwrap()
}

#[test]
fn outdated_lock_file_is_no_other_fault() {
    for (refusal, reason) in [
        (
            "cannot update the lock file because --locked was passed",
            "Cargo.lock does not match the manifests",
        ),
        ("failed to parse manifest", "cargo cannot read the manifests"),
    ] {
        let output = run_script(&Stub::new(), refusal, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with(refusal) && said.contains(&format!("scripts/test: {reason}")), "{said}");
    }
}

#[test]
fn script_passes_its_arguments_on_and_hides_build_settings() {
    let stub = Stub::new();
    let output = run_script(&stub, "", &["-p", "monitor", "--test", "agent"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "xtask test -p monitor --test agent\n");
    assert!(stub.read("environment").contains("SEEN="));
    for name in ["CARGO_BUILD_TARGET", "CARGO_PROFILE_DEV_PANIC", "RUSTC_BOOTSTRAP"] {
        assert!(!stub.read("environment").contains(name), "{name}");
    }
}
