//! The compiler.

use crate::failure::{Failure, Result};
use crate::runner::Runner;

/// Prints the compiler's version, and what to expect if it is not the one that the expected messages in tests are of.
///
/// There is no `rust-toolchain.toml` to choose it: where the same version is installed as `stable`, a pinned one would have to
/// be downloaded.
pub(crate) fn print_version(runner: &Runner) -> Result {
    let version = version(runner)?;
    let version = version.lines().next().unwrap_or_default();
    println!("{version}");
    let expected = env!("CARGO_PKG_RUST_VERSION");
    if !is_of(version, expected) {
        println!(
            "the compiler's messages in tests are those of rustc {expected}: tests of lints and errors may differ"
        );
    }
    Ok(())
}

fn is_of(version: &str, expected: &str) -> bool {
    version
        .strip_prefix("rustc ")
        .and_then(|version| version.strip_prefix(expected))
        .is_some_and(|rest| rest.starts_with('.'))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_to_the_minor() {
        assert!(is_of("rustc 1.95.3 (59807616e 2026-04-14)", "1.95"));
        assert!(!is_of("rustc 1.96.0 (59807616e 2026-05-28)", "1.95"));
        assert!(!is_of("rustc 1.950.0", "1.95"));
    }
}
