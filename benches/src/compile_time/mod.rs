//! Measures the build time that attributes add to a crate.
//!
//! Three crates with the same asynchronous functions, plain, with `#[track_skill]` and with `#[fastrace::trace]`, are
//! built in turn while all their dependencies stay built. The cost of an attribute is the quickest build of its crate minus that
//! of the plain one.

mod crates;

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crates::{CRATES, Crates, PLAIN, THEIRS, TRACKED};

/// Number of functions, and number of builds.
#[derive(Clone, Copy, Debug)]
struct Effort {
    functions: usize,
    rounds: usize,
}

/// Builds below `directory`, whose `target` keeps the dependencies, and returns a figure for each profile: the time that our
/// attribute adds over the time that fastrace's adds.
///
/// # Errors
///
/// Returns an error if a crate cannot be written or built.
pub fn run(directory: &Path, is_quick: bool) -> Result<Vec<(&'static str, f64)>, Box<dyn Error>> {
    let effort =
        if is_quick { Effort { functions: 100, rounds: 2 } } else { Effort { functions: 500, rounds: 5 } };
    let crates = Crates::write(directory, effort.functions)?;
    println!(
        "\nbuild of a crate with {} asynchronous functions; seconds over {} rounds\n{:<20}{:>12}{:>12}{:>12}{:>12}",
        effort.functions, effort.rounds, "", "median", "minimum", "maximum", "added"
    );
    let mut figures = Vec::new();
    for (name, profile) in
        [("compile_over_fastrace_debug", "dev"), ("compile_over_fastrace_release", "release")]
    {
        let builds = Builds::time(&crates, profile, effort.rounds)?;
        builds.print(profile);
        figures.push((name, builds.added(TRACKED) / builds.added(THEIRS)));
    }
    Ok(figures)
}

/// The build times of each crate, ascending.
struct Builds([Vec<Duration>; CRATES.len()]);

impl Builds {
    fn time(crates: &Crates, profile: &str, rounds: usize) -> Result<Self, Box<dyn Error>> {
        // The first build brings the dependencies.
        for name in CRATES {
            build(crates, name, profile)?;
        }
        let mut builds = Self([const { Vec::new() }; CRATES.len()]);
        for _ in 0..rounds {
            for (name, durations) in CRATES.iter().zip(&mut builds.0) {
                crates.touch(name)?;
                let start = Instant::now();
                build(crates, name, profile)?;
                durations.push(start.elapsed());
            }
        }
        builds.0.iter_mut().for_each(|durations| durations.sort_unstable());
        Ok(builds)
    }

    fn print(&self, profile: &str) {
        for (name, durations) in CRATES.iter().zip(&self.0) {
            let [minimum, median, maximum] =
                [0, durations.len() / 2, durations.len() - 1].map(|at| durations[at].as_secs_f64());
            let added = if *name == PLAIN { String::new() } else { format!("{:.2}", self.added(name)) };
            let name = format!("{name}, {profile}");
            println!("{name:<20}{median:>12.2}{minimum:>12.2}{maximum:>12.2}{added:>12}");
        }
    }

    /// The quickest build of a crate minus that of the plain one.
    fn added(&self, name: &str) -> f64 {
        self.minimum(name) - self.minimum(PLAIN)
    }

    fn minimum(&self, name: &str) -> f64 {
        let mut crates = CRATES.iter().zip(&self.0);
        crates.find(|(known, _)| **known == name).map_or(0.0, |(_, durations)| durations[0].as_secs_f64())
    }
}

fn build(crates: &Crates, name: &str, profile: &str) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = cargo
        .args(["build", "--quiet", "--offline", "--package", name, "--profile", profile])
        .current_dir(crates.directory())
        // Another package's manifest and settings are in the environment of a bench.
        .env("CARGO_TARGET_DIR", crates.directory().join("target"))
        // All of the crate is to be built, each time.
        .env("CARGO_INCREMENTAL", "0")
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("building {name} ended with {status}").into()) }
}
