//! This program run again, as far as one of its ignored tests: for what needs a process of its own.

use std::process::Command;

/// Set in a process that was started here.
const STARTED: &str = "MONITOR_DOCS_STARTED";

/// Whether this process was started here. Otherwise an ignored test has nothing to do, whoever ran it.
pub(crate) fn is_here() -> bool {
    std::env::var_os(STARTED).is_some()
}

/// The command that runs that one test in a process of its own.
pub(crate) fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(STARTED, "1");
    command
}
