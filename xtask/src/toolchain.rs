//! The compiler.

use crate::failure::{Failure, Result};
use crate::runner::Runner;

/// What `rustc --version --verbose` prints.
pub(crate) fn version(runner: &Runner) -> Result<String> {
    runner.output(runner.command("rustc").args(["--version", "--verbose"]))
}

/// The target that the compiler runs on.
pub(crate) fn host(runner: &Runner) -> Result<String> {
    let version = version(runner)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::message("rustc does not name its target"))
}
