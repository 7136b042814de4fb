//! Runs several instances of the example service as a fleet. A Prometheus with file discovery, an Alertmanager, and a
//! `VictoriaMetrics` fed by remote write watch it. The program sends a known number of requests, and compares the engines' results
//! with it. Each instance also knows the others by its live page.
//!
//! ```text
//! cargo run --release -p fleet
//! ```
//!
//! It needs the Debian packages `prometheus`, `prometheus-alertmanager` and `victoria-metrics`. All programs listen on free ports
//! of 127.0.0.1 and write into one temporary folder. All of them are stopped and removed when it ends, for whatever reason.

mod alerts;
mod args;
mod configuration;
mod engine;
mod engines;
mod fleet;
mod instance;
mod pages;
mod program;
mod proofs;
mod quantile;
mod traffic;
mod waiting;

use std::env;
use std::process::ExitCode;

use args::{Args, Command, HELP};
use fleet::Fleet;

fn main() -> ExitCode {
    match Command::parse(env::args_os().skip(1)) {
        Ok(Command::Run(args)) => match run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("fleet: {error:#}");
                ExitCode::FAILURE
            }
        },
        Ok(Command::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fleet: {error}; --help shows what there is");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    waiting::heed_signals()?;
    let mut fleet = Fleet::start(args.instances)?;
    println!("{fleet}");
    proofs::sums_equal_what_was_sent(&mut fleet, args.requests)?;
    proofs::quantiles_aggregate(&fleet)?;
    proofs::a_restart_loses_nothing(&mut fleet, args.requests)?;
    proofs::a_killed_instance_fires_one_alert(&mut fleet)?;
    pages::instances_know_each_other(&mut fleet)?;
    println!("every proof holds");
    Ok(())
}
