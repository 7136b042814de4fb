//! Counts the instructions of the main paths under callgrind and compares them with a file.
//!
//! Counts repeat on a busy machine where times do not, but belong to one compiler and one target: the file names them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::packages::find_program;
use crate::runner::Runner;
use crate::toolchain;

const FILE: &str = "benches/instructions.txt";

/// The packages with a bench `instructions`. The second one has the recorder of runs in its build.
pub(crate) const PACKAGES: [&str; 2] = ["monitor-benches", "monitor-recorded-bench"];

/// A path that takes more than this over the file fails.
const MOST_PERCENT: f64 = 3.0;

const TITLE: &str = "# Instructions of one run of each path, as `cargo xtask instructions` counts them; written by its --update.";

/// The instructions of one run of each path.
type Counts = Vec<(String, u64)>;

/// Compares the counts with the file, or with `update` writes them into it first.
pub(crate) fn run(runner: &Runner, update: bool) -> Result {
    if find_program("valgrind").is_none() {
        return Err(Failure::message("valgrind is missing; install the package of that name"));
    }
    let build = build_of(&toolchain::version(runner)?);
    if !update && build != named_build(&fs::read_to_string(FILE)?) {
        let text = "is for another compiler or target; run with --update on the commit to compare with first";
        return Err(Failure::Message(format!("{FILE} {text}")));
    }
    let mut counts = Counts::new();
    for package in PACKAGES {
        counts.extend(count_all(runner, &build_bench(runner, package)?)?);
    }
    if update {
        fs::write(FILE, file_text(&build, &counts))?;
    }
    let (table, missed) = compare(&read_counts(&fs::read_to_string(FILE)?), &counts);
    print!("{table}");
    if missed.is_empty() {
        return Ok(());
    }
    let missed = missed.join(" ");
    let text = format!(
        "more than {MOST_PERCENT} % over the file: {missed}; after a change that is meant, run with --update"
    );
    Err(Failure::Message(text))
}

/// The compiler and the target, as the file names them.
fn build_of(version: &str) -> String {
    let name = version.lines().next().unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    format!("# {name}\n# target {host}\n")
}

fn named_build(file: &str) -> String {
    let lines = file.lines().filter(|line| line.starts_with("# rustc") || line.starts_with("# target"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn build_bench(runner: &Runner, package: &str) -> Result<PathBuf> {
    let mut bench = runner.cargo(&["bench", "--package", package, "--bench", "instructions", "--no-run"]);
    let built = runner.output(bench.args(["--message-format", "json"]))?;
    let messages = built.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages
        .filter(|message| message["target"]["name"] == "instructions")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next().ok_or_else(|| Failure::message("the bench was not built"))
}

fn count_all(runner: &Runner, bench: &Path) -> Result<Counts> {
    let work = tempfile::tempdir()?;
    let paths = runner.output(&mut runner.command(bench))?;
    paths
        .split_whitespace()
        .map(|path| Ok((path.to_owned(), count(runner, bench, path, work.path())?)))
        .collect()
}

/// The instructions of one run of a path; the bench prints how many runs it made.
fn count(runner: &Runner, bench: &Path, path: &str, work: &Path) -> Result<u64> {
    let out = work.join(path);
    let mut valgrind = runner.command("valgrind");
    valgrind.args([
        "--quiet",
        "--tool=callgrind",
        "--collect-atstart=no",
        "--toggle-collect=*measured_path*",
    ]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display())).arg(bench).arg(path);
    let times = runner.output(&mut valgrind)?;
    let (times, instructions) = (times.trim().parse().unwrap_or(0), total(&fs::read_to_string(out)?));
    match instructions.checked_div(times) {
        Some(count) if count > 0 => Ok(count),
        _ => Err(Failure::Message(format!("callgrind counted nothing in {path}"))),
    }
}

fn total(callgrind: &str) -> u64 {
    let total =
        |line: &str| line.strip_prefix("totals: ").or(line.strip_prefix("summary: "))?.trim().parse().ok();
    callgrind.lines().find_map(total).unwrap_or(0)
}

fn file_text(build: &str, counts: &Counts) -> String {
    let mut text = format!("{TITLE}\n{build}");
    for (path, count) in counts {
        writeln!(text, "{path} {count}").expect("a string takes all");
    }
    text
}

fn read_counts(file: &str) -> Counts {
    let lines = file.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(path, count)| Some((path.to_owned(), count.parse().ok()?))).collect()
}

/// A table of how far each path is from the file, and the paths that are too far or not in it.
fn compare(kept: &Counts, counts: &Counts) -> (String, Vec<String>) {
    let (mut table, mut missed) = (String::new(), Vec::new());
    for (path, count) in counts {
        let before = kept.iter().find(|(name, _)| name == path);
        let percent = before.map(|(_, before)| 100.0 * (*count as f64 - *before as f64) / *before as f64);
        let text = percent.map_or("  not in the file".into(), |percent| format!("{percent:+8.1} %"));
        writeln!(table, "{path:<22} {count:>10} {text}").expect("a string takes all");
        if percent.is_none_or(|percent| percent > MOST_PERCENT) {
            missed.push(path.clone());
        }
    }
    (table, missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_read_as_it_is_written() {
        let build =
            build_of("rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n");
        let counts = vec![("literal_id".to_owned(), 203)];
        let text = file_text(&build, &counts);
        assert_eq!((named_build(&text), read_counts(&text)), (build, counts));
    }

    #[test]
    fn paths_over_the_bar_or_new_are_missed() {
        let counts = |list: &[(&str, u64)]| -> Counts {
            list.iter().map(|&(path, count)| (path.into(), count)).collect()
        };
        let kept = counts(&[("at", 1000), ("over", 1000), ("below", 1000)]);
        let (table, missed) =
            compare(&kept, &counts(&[("at", 1030), ("over", 1031), ("below", 900), ("new", 1)]));
        assert_eq!(missed, ["over", "new"]);
        assert_eq!(table.lines().next().unwrap(), "at                           1030     +3.0 %");
    }

    #[test]
    fn total_is_that_of_callgrind() {
        assert_eq!(total("events: Ir\nsummary: 1234\nfn=(1) x\ntotals: 99\n"), 1234);
        assert_eq!(total("events: Ir\n"), 0);
    }
}
