//! A test, or a part of one, in a process of its own: this test executable again, with one of its tests to run.

use std::any;
use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use super::exposition::Exposition;

/// Ends what the test harness prints; the rest is the test's.
pub(crate) const BEGIN: &str = "<in a process of its own>\n";

/// In a process that was started here, the part that its test has to play.
const PART: &str = "MONITOR_TEST_PART";

/// Settings that the developer may have, and a test has not.
const SETTINGS: [&str; 4] = ["LOG_LEVEL", "RUST_LOG", "LOG_FORMAT", "NO_COLOR"];

/// An ignored test that plays parts for the other tests of its module, each in a process of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subprocess {
    module: &'static str,
    test: &'static str,
}

impl Subprocess {
    /// `module` is `module_path!()`.
    pub(crate) const fn new(module: &'static str, test: &'static str) -> Self {
        Self { module, test }
    }

    /// This executable, to play that part.
    pub(crate) fn command(self, part: &str) -> Command {
        self.command_in(Command::new(env::current_exe().unwrap()), part)
    }

    /// The same, run by a program that takes a program and its arguments behind its own.
    pub(crate) fn command_by(self, mut program: Command, part: &str) -> Command {
        program.arg(env::current_exe().unwrap());
        self.command_in(program, part)
    }

    /// The same, with so few descriptors.
    pub(crate) fn command_with_descriptors(self, descriptors: u32, part: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {descriptors}; exec \"$0\" \"$@\""));
        self.command_by(shell, part)
    }

    fn command_in(self, mut command: Command, part: &str) -> Command {
        // The harness names tests without the executable's own name.
        let path = format!("{}::{}", self.module, self.test);
        let (_, test) = path.split_once("::").unwrap();
        command.args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"]);
        command.env(PART, part);
        let is_of_export = |name: &str| {
            name.starts_with("OTEL_")
                || name.starts_with("SSL_CERT_")
                || name.to_ascii_uppercase().ends_with("_PROXY")
        };
        let export =
            env::vars_os().map(|(name, _)| name).filter(|name| is_of_export(&name.to_string_lossy()));
        for variable in export.chain(SETTINGS.map(Into::into)) {
            command.env_remove(variable);
        }
        command
    }

    /// Starts it with all three streams at hand.
    pub(crate) fn spawn(self, part: &str) -> Child {
        let mut command = self.command(part);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// The part that this process has to play. None where nobody started it here: then an ignored test has nothing to do.
pub(crate) fn part() -> Option<String> {
    let part = env::var(PART).ok()?;
    print!("{BEGIN}");
    io::stdout().flush().unwrap();
    Some(part)
}

/// Runs the test that calls it in a process of its own, and fails as it fails there.
pub(crate) fn in_own_process<F: FnOnce()>(test: F) {
    if part().is_some() {
        return test();
    }
    // A closure is named behind the function that it is written in.
    let path = any::type_name::<F>().trim_end_matches("::{{closure}}");
    let (module, name) = path.rsplit_once("::").unwrap();
    let itself = Subprocess { module, test: name };
    passes(&mut itself.command("all"));
}

/// A program that gives the one behind it mounts of its own. None where that is not allowed.
pub(crate) fn own_mounts() -> Option<Command> {
    const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let unshare = |way: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(way);
        unshare
    };
    let may_mount = |way: &&[&str]| {
        let mount = "mount -t tmpfs -o size=256k tmpfs /tmp";
        unshare(way).args(["sh", "-c", mount]).output().is_ok_and(|tried| tried.status.success())
    };
    WAYS.into_iter().find(may_mount).map(unshare)
}

/// Has the one test run that the command names, to its end.
pub(crate) fn passes(command: &mut Command) {
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}\n{stderr}");
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(crate) fn written(output: &Output) -> &str {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.split_once(BEGIN).expect("the test began").1
}

/// The sum of a counter's series in the scrape that a part printed.
#[track_caller]
pub(crate) fn total(scrape: &str, metric: &str) -> u64 {
    Exposition::read(scrape).total(metric)
}

pub(crate) fn wait_for_parent() {
    io::stdin().read_line(&mut String::new()).unwrap();
}

pub(crate) fn release(child: &mut Child) {
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
}

/// Reads the line of standard error that says how far the scenario is.
pub(crate) fn wait_for(child: &mut Child, word: &str) -> BufReader<ChildStderr> {
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), word);
    errors
}
