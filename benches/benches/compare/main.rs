//! Times our crate and its peers in turn in one process, and prints the ratios between them.
//!
//! ```sh
//! cargo bench -p monitor-benches --bench compare                      # tables, then one RATIO line a figure
//! cargo bench -p monitor-benches --bench compare -- --quick           # a fifth of the rounds, and no builds
//! cargo bench -p monitor-benches --bench compare -- --check           # and fails if a bar is missed
//! cargo bench -p monitor-benches --bench compare -- --section calls   # one part alone
//! ```
//!
//! `docs/benchmarks.md` defines each figure.

mod bars;
mod calls;
mod http;
mod lines;
mod live;
mod logged;
mod remote;
mod report;
mod scrape;
mod sections;
mod subscribers;

use std::error::Error;
use std::process::ExitCode;

use bars::BARS;
use monitor_benches::harness;
use report::Figures;
use sections::{Effort, SECTIONS, run_apart};

/// The section that builds crates, which takes longer than all others together.
const SLOW: &str = "build";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut effort, mut must_meet, mut section) = (Effort { is_quick: false }, false, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => effort.is_quick = true,
            "--check" => must_meet = true,
            // How this bench runs itself, for contenders that need a process of their own.
            "--contender" => {
                remote::serve(&arguments.next().ok_or("--contender expects a name")?)?;
                return Ok(ExitCode::SUCCESS);
            }
            "--section" => section = Some(arguments.next().ok_or("--section expects a name")?),
            // What `cargo bench` says to every bench.
            "--bench" => {}
            unknown => {
                return Err(
                    format!("unknown argument {unknown}; expected --quick, --check or --section").into()
                );
            }
        }
    }
    if section.is_none() {
        println!("{}", report::machine());
    }
    let figures = match &section {
        Some(name) => run_here(name, effort)?,
        None => run_all(effort)?,
    };
    println!();
    for (name, figure) in &figures {
        println!("{}", report::line(name, *figure));
    }
    Ok(if must_meet && !meets_every_bar(&figures, section.is_none() && !effort.is_quick) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn run_here(name: &str, effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let found = SECTIONS.iter().find(|(known, _)| *known == name);
    let names = SECTIONS.map(|(name, _)| name).join(", ");
    let (_, run) = found.ok_or_else(|| format!("unknown section {name}; expected one of {names}"))?;
    run(effort)
}

/// The figures of all sections, in the order of the bars.
fn run_all(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let mut figures = Figures::new();
    for (name, _) in SECTIONS {
        if effort.is_quick && name == SLOW {
            println!("{name}: left out by --quick; ask for it by --section {name}\n");
            continue;
        }
        figures.extend(run_apart(name, effort)?);
    }
    figures.sort_by_key(|(name, _)| BARS.iter().position(|(known, _)| known == name));
    Ok(figures)
}

/// Reports on standard error the bars that were missed, and those that were not measured although all should have been.
fn meets_every_bar(figures: &Figures, are_all: bool) -> bool {
    let mut meets = true;
    for (name, bar) in BARS {
        let figure = figures.iter().find(|(known, _)| *known == name).map(|(_, figure)| *figure);
        if figure.map_or(are_all, |figure| !bar.is_met_by(figure)) {
            let figure = figure.map_or_else(|| "no figure".to_owned(), |figure| format!("{figure:.2}"));
            eprintln!("missed: {name} is {figure}, expected {bar}");
            meets = false;
        }
    }
    meets
}
