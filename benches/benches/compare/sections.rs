//! The parts of the comparison. Each runs in its own process, since metrics, recorders and subscribers belong to a process.

use std::env;
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use monitor_benches::{compile_time, memory};

use crate::report::{Figures, parse};
use crate::{calls, http, lines, live, logged, scrape};

/// Thoroughness of the measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) is_quick: bool,
}

impl Effort {
    /// The given number of rounds for `--quick`, else five times as many.
    pub(crate) fn rounds(self, quick: usize) -> usize {
        if self.is_quick { quick } else { 5 * quick }
    }
}

type Section = fn(Effort) -> Result<Figures, Box<dyn Error>>;

/// In the order in which they run.
pub(crate) const SECTIONS: [(&str, Section); 8] = [
    ("calls", |effort| Ok(calls::run(effort))),
    ("logged", logged::run),
    ("lines", lines::run),
    ("scrape", scrape::run),
    ("http", http::run),
    ("live", live::run),
    ("memory", |_| Ok(vec![("bytes_per_series", memory::bytes_per_series()?)])),
    ("build", |effort| {
        compile_time::run(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_time"), effort.is_quick)
    }),
];

/// Runs a section in a process of this executable, prints its tables, and returns its figures.
pub(crate) fn run_apart(name: &str, effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--section", name]).args(effort.is_quick.then_some("--quick"));
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut figures = Figures::new();
    for line in BufReader::new(child.stdout.take().ok_or("no output to read")?).lines() {
        let line = line?;
        match parse(&line) {
            Some(figure) => figures.push(figure),
            None => println!("{line}"),
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(figures) } else { Err(format!("section {name} ended with {status}").into()) }
}
