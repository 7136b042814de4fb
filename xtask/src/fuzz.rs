//! Runs the fuzz targets from their kept inputs on.
//!
//! The compiler's flags are those of `cargo fuzz` except the sanitizers: they need another toolchain, and look for faults of
//! memory that safe code does not have.

use std::fs::{self, File};
use std::path::Path;

use crate::databases::last_lines;
use crate::failure::{Failure, Result};
use crate::runner::Runner;
use crate::toolchain;

const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Runs each target for a time, all of them if none is named; an input that fails is left in `fuzz/artifacts`.
pub(crate) fn run(runner: &Runner, seconds: u64, targets: &[&str]) -> Result {
    let targets =
        if targets.is_empty() { all_targets()? } else { targets.iter().map(|&name| name.into()).collect() };
    // With a target named, build scripts and macros are not instrumented.
    let host = toolchain::host(runner)?;
    let found = tempfile::tempdir()?;
    for target in targets {
        println!("fuzzing: {target}");
        run_target(runner, seconds, &target, &host, found.path())?;
    }
    Ok(())
}

fn all_targets() -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir("fuzz/fuzz_targets")? {
        let name = entry?.file_name();
        targets.extend(name.to_string_lossy().strip_suffix(".rs").map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
}

fn run_target(runner: &Runner, seconds: u64, target: &str, host: &str, found: &Path) -> Result {
    let (inputs, artifacts) = (found.join(target), format!("fuzz/artifacts/{target}/"));
    fs::create_dir(&inputs)?;
    fs::create_dir_all(&artifacts)?;
    let cargo = |command| {
        let mut cargo = runner.cargo(&[command, "--quiet", "--package", "monitor-fuzz", "--bin", target]);
        cargo.args(["--profile", "fuzz", "--target", host]).env("RUSTFLAGS", RUSTFLAGS);
        cargo
    };
    runner.run(&mut cargo("build"))?;
    let mut fuzz = cargo("run");
    fuzz.args(["--", &format!("-max_total_time={seconds}"), "-max_len=1024", "-timeout=10"]);
    fuzz.args(["-print_final_stats=1", &format!("-artifact_prefix={artifacts}")]);
    fuzz.arg(&inputs).arg(format!("fuzz/corpus/{target}"));
    let log = inputs.with_extension("log");
    let file = File::create(&log)?;
    let result = runner.run(fuzz.stdout(file.try_clone()?).stderr(file));
    let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
    if let Err(Failure::Command(_)) = result {
        eprint!("{}", last_lines(&text, 60));
    }
    result?;
    let counts = text.lines().filter_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    counts.for_each(|count| println!("  inputs: {}", count.trim()));
    Ok(())
}
