//! The gates of the project, and the tools beside them: `cargo xtask NAME`.
//!
//! `scripts/test` is the way to the gates: it also checks the lock file, which Cargo would bring up to date as it builds this.

mod api_docs;
mod axe;
mod collector;
mod databases;
mod environment;
mod failure;
mod features;
mod fuzz;
mod gates;
mod instructions;
mod msrv;
mod package;
mod packages;
mod policy;
mod runner;
mod scratch;
mod semver;
mod toolchain;
mod weight;

use std::num::NonZeroU64;
use std::path::Path;
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt as _};

use crate::failure::{Failure, Result};
use crate::runner::Runner;

const HELP: &str = "\
cargo xtask test [ARGS…]                    every gate; with ARGS only `cargo test ARGS…`, with the databases it needs
cargo xtask database-clients                the library with sqlx 0.8, sea-orm and deadpool-postgres, on real databases
cargo xtask model-clients                   the library with clients of language models, without network
cargo xtask dependencies                    the core and the attributes stay light
cargo xtask deny                            licences, bans, sources and advisories, by cargo-deny
cargo xtask features [--list]               monitor-runtime with each set of features that differs; the sets alone
cargo xtask fuzz [SECONDS [TARGET…]]        the fuzz targets from their kept inputs on, ten seconds each
cargo xtask msrv [--update]                 the oldest Rust and the oldest versions of other crates, in xtask/oldest.lock
cargo xtask instructions [--update]         the instructions of the main paths against benches/instructions.txt
cargo xtask package                         the library's packages: their files, their manifests, a build from them alone
cargo xtask semver [--update]               the public API against that of the commit in xtask/semver.txt, by cargo-semver-checks
cargo xtask weight [--count] [--release] [--rounds NUMBER]   crates and seconds of a cold build, beside other crates
";

enum Task {
    Help,
    Test(Vec<String>),
    DatabaseClients,
    ModelClients,
    Dependencies,
    Deny,
    Features { list: bool },
    Fuzz { seconds: u64, targets: Vec<String> },
    Msrv { update: bool },
    Instructions { update: bool },
    Package,
    Semver { update: bool },
    Weight(weight::Options),
}

fn main() -> ExitCode {
    let task = match parse(Parser::from_env()) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("cargo xtask: {error}; usage:\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let mut runner = Runner::new();
    match run(&mut runner, &task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&runner, &task, &failure),
    }
}

type Parsed<T> = std::result::Result<T, lexopt::Error>;

fn parse(mut parser: Parser) -> Parsed<Task> {
    let name = match parser.next()? {
        None | Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Task::Help),
        Some(Arg::Value(name)) => name.string()?,
        Some(other) => return Err(other.unexpected()),
    };
    match name.as_str() {
        "test" => Ok(Task::Test(parser.raw_args()?.map(lexopt::ValueExt::string).collect::<Parsed<_>>()?)),
        "database-clients" => end(parser).map(|()| Task::DatabaseClients),
        "model-clients" => end(parser).map(|()| Task::ModelClients),
        "dependencies" => end(parser).map(|()| Task::Dependencies),
        "deny" => end(parser).map(|()| Task::Deny),
        "features" => Ok(Task::Features { list: flag(parser, "list")? }),
        "fuzz" => parse_fuzz(parser),
        "msrv" => Ok(Task::Msrv { update: flag(parser, "update")? }),
        "instructions" => Ok(Task::Instructions { update: flag(parser, "update")? }),
        "package" => end(parser).map(|()| Task::Package),
        "semver" => Ok(Task::Semver { update: flag(parser, "update")? }),
        "weight" => parse_weight(parser),
        _ => Err(format!("unknown task `{name}`").into()),
    }
}

fn parse_fuzz(mut parser: Parser) -> Parsed<Task> {
    let mut seconds = None;
    let mut targets = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(value) if seconds.is_none() => seconds = Some(value.parse::<NonZeroU64>()?.get()),
            Arg::Value(value) => targets.push(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Fuzz { seconds: seconds.unwrap_or(10), targets })
}

fn parse_weight(mut parser: Parser) -> Parsed<Task> {
    let mut options = weight::Options { is_count: false, is_release: false, rounds: 2 };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("count") => options.is_count = true,
            Arg::Long("release") => options.is_release = true,
            Arg::Long("rounds") => options.rounds = parser.value()?.parse::<NonZeroU64>()?.get(),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Task::Weight(options))
}

/// Whether the only option that a task takes is given.
fn flag(mut parser: Parser, name: &str) -> Parsed<bool> {
    match parser.next()? {
        None => Ok(false),
        Some(Arg::Long(given)) if given == name => end(parser).map(|()| true),
        Some(other) => Err(other.unexpected()),
    }
}

fn end(mut parser: Parser) -> Parsed<()> {
    parser.next()?.map_or(Ok(()), |other| Err(other.unexpected()))
}

fn run(runner: &mut Runner, task: &Task) -> Result {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(root)?;
    runner.end_on_signals()?;
    match task {
        Task::Help => print!("{HELP}"),
        Task::Test(arguments) => gates::test(runner, &strs(arguments))?,
        Task::DatabaseClients => gates::test_database_clients(runner)?,
        Task::ModelClients => gates::check_model_clients(runner)?,
        Task::Dependencies => gates::check_dependencies(runner)?,
        Task::Deny => gates::check_deny(runner)?,
        Task::Features { list: false } => gates::check_features(runner)?,
        Task::Features { list: true } => {
            features::sets_of_manifest(runner)?.iter().for_each(|set| println!("{}", set.join(" ")));
        }
        Task::Fuzz { seconds, targets } => fuzz::run(runner, *seconds, &strs(targets))?,
        Task::Msrv { update: false } => gates::check_msrv(runner)?,
        Task::Msrv { update: true } => msrv::update(runner)?,
        Task::Instructions { update } => instructions::run(runner, *update)?,
        Task::Package => gates::check_package(runner)?,
        Task::Semver { update: false } => semver::check(runner)?,
        Task::Semver { update: true } => semver::update(runner)?,
        Task::Weight(options) => weight::run(runner, *options)?,
    }
    Ok(())
}

fn strs(strings: &[String]) -> Vec<&str> {
    strings.iter().map(String::as_str).collect()
}

/// Prints the reason, unless a signal or a command that has given it is the reason, and where the run failed.
fn report(runner: &Runner, task: &Task, failure: &Failure) -> ExitCode {
    let name = if matches!(task, Task::Test(_)) { "scripts/test" } else { "cargo xtask" };
    if let Failure::Message(text) = failure {
        eprintln!("{name}: {text}");
    }
    if let Some(stage) = runner.last_stage() {
        eprintln!("\n{name}: FAILED in: {stage}");
    }
    ExitCode::from(failure.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Parsed<Task> {
        parse(Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn arguments_of_cargo_test_are_handed_on() {
        let Ok(Task::Test(arguments)) = parse_line("test -p monitor --test agent -- --nocapture") else {
            panic!("another task");
        };
        assert_eq!(arguments, ["-p", "monitor", "--test", "agent", "--", "--nocapture"]);
    }

    #[test]
    fn seconds_come_before_targets() {
        let Ok(Task::Fuzz { seconds, targets }) = parse_line("fuzz 600 headers") else {
            panic!("another task")
        };
        assert_eq!((seconds, targets.concat()), (600, "headers".to_owned()));
        assert!(parse_line("fuzz headers").is_err());
        assert!(parse_line("fuzz 0").is_err());
    }

    #[test]
    fn weight_takes_rounds() {
        let Ok(Task::Weight(options)) = parse_line("weight --release --rounds 3") else {
            panic!("another task")
        };
        assert_eq!(options, weight::Options { is_count: false, is_release: true, rounds: 3 });
        assert!(parse_line("weight --rounds 0").is_err());
    }

    #[test]
    fn unknown_arguments_are_refused() {
        for line in [
            "tests",
            "features --lists",
            "instructions --update more",
            "dependencies x",
            "package x",
            "semver x",
            "--list",
        ] {
            assert!(parse_line(line).is_err(), "{line}");
        }
    }
}
