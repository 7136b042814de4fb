//! A part of a test in a process of its own: the test binary again, with nothing but one scenario to do.
//!
//! A test file that uses it has an ignored test `scenario`, which does what [`begin`] names.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// Ends what the test harness prints; the rest is the scenario's.
pub(crate) const BEGIN: &str = "<scenario>\n";

const SCENARIO: &str = "MONITOR_TEST_SCENARIO";

/// In the process of a scenario, its name.
pub(crate) fn begin() -> Option<String> {
    let name = env::var(SCENARIO).ok()?;
    print!("{BEGIN}");
    io::stdout().flush().unwrap();
    Some(name)
}

/// This binary with one scenario to run and none of the variables that the developer may have set.
pub(crate) fn process(scenario: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "scenario", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(SCENARIO, scenario);
    for variable in ["LOG_LEVEL", "RUST_LOG", "LOG_FORMAT", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(crate) fn written(output: &Output) -> &str {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.split_once(BEGIN).expect("the scenario began").1
}

/// The sum of a counter's series in the scrape that a scenario printed.
pub(crate) fn total(scrape: &str, metric: &str) -> u64 {
    let is_of_metric = |line: &&str| line.split(['{', ' ']).next() == Some(metric);
    let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    scrape.lines().filter(is_of_metric).map(value).sum()
}

pub(crate) fn wait_for_parent() {
    io::stdin().read_line(&mut String::new()).unwrap();
}

/// Starts a scenario whose three streams are ours.
pub(crate) fn spawn(scenario: &str) -> Child {
    process(scenario).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
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
