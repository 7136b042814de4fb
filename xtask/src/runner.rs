//! Commands that end with this program.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::environment;
use crate::failure::{Failure, Result};

/// How often a wait looks at the signals.
const POLL: Duration = Duration::from_millis(20);

/// How long what was told to end may take before it is ended by force; nextest gives its tests ten seconds.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Runner {
    /// The last signal that asked the run to end, or 0.
    ///
    /// A signal only writes this word, so a second one cannot cut the cleaning short.
    signal: Arc<AtomicUsize>,
    settings: Vec<(OsString, OsString)>,
    stages: Vec<(String, Instant)>,
}

impl Runner {
    pub(crate) fn new() -> Self {
        // Panics may show where they came from, but errors must print the same everywhere.
        let settings = vec![("RUST_LIB_BACKTRACE".into(), "0".into())];
        Self { signal: Arc::default(), settings, stages: Vec::new() }
    }

    /// Takes the signals that ask to end, except those that the caller ignores, as nohup does with HUP.
    pub(crate) fn end_on_signals(&self) -> Result {
        let ignored = ignored_signals(&fs::read_to_string("/proc/self/status")?);
        for (signal, value) in [(SIGHUP, 1), (SIGINT, 2), (SIGTERM, 15)] {
            if ignored & (1 << (value - 1)) == 0 {
                signal_hook::flag::register_usize(signal, Arc::clone(&self.signal), value)?;
            }
        }
        Ok(())
    }

    /// Fails once a signal has asked the run to end.
    pub(crate) fn check(&self) -> Result {
        match self.signal.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => Err(Failure::Signal(u8::try_from(signal).unwrap_or(0))),
        }
    }

    /// Announces what follows; a failure is reported under that name.
    pub(crate) fn stage(&mut self, name: &str) {
        println!("\n== {name}");
        self.stages.push((name.to_owned(), Instant::now()));
    }

    pub(crate) fn last_stage(&self) -> Option<&str> {
        self.stages.last().map(|(name, _)| name.as_str())
    }

    /// How long each stage took.
    pub(crate) fn print_durations(&self) {
        let ends = self.stages.iter().skip(1).map(|(_, start)| *start).chain([Instant::now()]);
        for ((name, start), end) in self.stages.iter().zip(ends) {
            println!("{:6.1} s  {name}", (end - *start).as_secs_f64());
        }
    }

    /// Sets a variable for every command from here on.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.settings.push((name.into(), value.into()));
    }

    /// A command that does not see the machine's settings and has no input.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in environment::forgotten() {
            command.env_remove(name);
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// Runs a command that may take long; fails unless it succeeds.
    pub(crate) fn run(&self, command: &mut Command) -> Result {
        let status = self.status(command)?;
        if status.success() { Ok(()) } else { Err(status.into()) }
    }

    /// Whether a command succeeds; what it prints is left out.
    pub(crate) fn succeeds(&self, command: &mut Command) -> Result<bool> {
        let status = self.status(command.stdout(Stdio::null()).stderr(Stdio::null()));
        match status {
            Err(Failure::Message(_)) => Ok(false),
            status => Ok(status?.success()),
        }
    }

    /// Runs a command that may take long; returns its standard output.
    pub(crate) fn output(&self, command: &mut Command) -> Result<String> {
        let mut file = tempfile::tempfile()?;
        self.run(command.stdout(file.try_clone()?))?;
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Runs a command in a process group of its own, which a signal ends with all that is in it.
    fn status(&self, command: &mut Command) -> Result<ExitStatus> {
        self.check()?;
        let mut child = spawn(command.process_group(0))?;
        loop {
            if let Some(status) = child.try_wait()? {
                self.check()?;
                return Ok(status);
            }
            if let Err(signal) = self.check() {
                end_group(&mut child);
                return Err(signal);
            }
            sleep(POLL);
        }
    }

    /// Waits at most a minute until a server is ready; false if it never is, at once if it has ended.
    pub(crate) fn wait_until_ready(&self, server: &mut Child, is_ready: impl Fn() -> bool) -> Result<bool> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_mins(1) {
            self.check()?;
            if is_ready() {
                return Ok(true);
            }
            if server.try_wait()?.is_some() {
                return Ok(false);
            }
            sleep(POLL);
        }
        Ok(false)
    }
}

pub(crate) fn spawn(command: &mut Command) -> Result<Child> {
    let program = command.get_program().to_owned();
    command.spawn().map_err(|error| Failure::message(format!("cannot start {}: {error}", program.display())))
}

/// Ends a process, by force if it stays too long.
pub(crate) fn end(child: &mut Child, signal: Signal) {
    let _ = rustix::process::kill_process(Pid::from_child(child), signal);
    wait_at_most(PATIENCE, || matches!(child.try_wait(), Ok(None)));
    let _ = child.kill();
    let _ = child.wait();
}

/// Ends a process group, by force if any of it stays too long.
fn end_group(leader: &mut Child) {
    let group = Pid::from_child(leader);
    let _ = kill_process_group(group, Signal::TERM);
    wait_at_most(PATIENCE, || {
        // An ended leader belongs to its group until it is waited for.
        let _ = leader.try_wait();
        test_kill_process_group(group).is_ok()
    });
    let _ = kill_process_group(group, Signal::KILL);
    let _ = leader.wait();
}

fn wait_at_most(most: Duration, mut goes_on: impl FnMut() -> bool) {
    let start = Instant::now();
    while goes_on() && start.elapsed() < most {
        sleep(POLL);
    }
}

/// The mask of ignored signals, as the kernel shows it: signal 1 is its lowest bit.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        assert_eq!(ignored_signals("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"), 0x1001);
    }

    #[test]
    fn failed_command_keeps_its_status() {
        let runner = Runner::new();
        let failure = runner.run(runner.command("sh").args(["-c", "exit 7"])).unwrap_err();
        assert_eq!(failure.code(), 7);
    }

    #[test]
    fn missing_program_is_named() {
        let runner = Runner::new();
        let failure = runner.run(&mut runner.command("no-such-program")).unwrap_err();
        assert!(failure.to_string().starts_with("cannot start no-such-program: "), "{failure}");
        assert!(!runner.succeeds(&mut runner.command("no-such-program")).unwrap());
    }

    #[test]
    fn signal_ends_the_whole_group() {
        let runner = Runner::new();
        let pids = tempfile::NamedTempFile::new().unwrap();
        let script = "sleep 600 & echo $$ $! >\"$PIDS\"; wait";
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while pids.path().metadata().unwrap().len() == 0 {
                    sleep(POLL);
                }
                runner.signal.store(15, Ordering::Relaxed);
            });
            let command = &mut runner.command("sh");
            let failure = runner.run(command.args(["-c", script]).env("PIDS", pids.path())).unwrap_err();
            assert_eq!(failure.code(), 143);
        });
        for pid in fs::read_to_string(pids.path()).unwrap().split_whitespace() {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // A zombie waits for whoever adopted it.
            assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
        }
    }
}
