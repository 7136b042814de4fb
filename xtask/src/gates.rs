//! The gates; each announces itself and fails unless it holds.

use std::collections::BTreeSet;

use crate::databases::Databases;
use crate::failure::{Failure, Result};
use crate::policy::ServicePolicy;
use crate::runner::Runner;
use crate::scratch::Scratch;
use crate::{api_docs, axe, collector, features, fuzz, instructions, msrv, package, packages, toolchain};

/// Runs every gate, in the order in which they are cheapest to fail; with arguments only `cargo test` with them, and the
/// databases that it needs.
pub(crate) fn test(runner: &mut Runner, arguments: &[&str]) -> Result {
    runner.stage("tools");
    require_toolchain(runner)?;
    toolchain::print_version(runner)?;
    let scratch = Scratch::create()?;
    runner.set("TMPDIR", scratch.temporary());
    ServicePolicy::of_this_machine(runner).lift_stale()?;
    packages::install_missing(runner)?;
    collector::install(runner)?;
    axe::install(runner)?;
    if arguments.is_empty() {
        check_format(runner)?;
        check_lints(runner)?;
        check_dependencies(runner)?;
        check_deny(runner)?;
        check_features(runner)?;
        check_msrv(runner)?;
        check_package(runner)?;
        check_docs(runner)?;
    }
    runner.stage("databases");
    let _databases = Databases::start(runner, scratch.path())?;
    if arguments.is_empty() {
        check_latencies(runner)?;
        check_soak(runner)?;
        check_off(runner)?;
        check_metrics_alone(runner)?;
        check_plain_export(runner)?;
        check_database_clients(runner)?;
        check_model_clients(runner)?;
        check_fuzzing(runner)?;
        check_tests(runner)?;
        println!("\nseconds of each gate:");
        runner.print_durations();
        println!("\nscripts/test: every gate passed");
    } else {
        runner.stage(&format!("cargo test {}", arguments.join(" ")));
        runner.run(runner.cargo(&["test"]).args(arguments))?;
    }
    Ok(())
}

/// Rust is the user's own to install: no toolchain is downloaded here.
fn require_toolchain(runner: &Runner) -> Result {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !runner.succeeds(&mut runner.cargo(&[command, "--version"]))? {
            let text = format!("{component} is missing: rustup component add {component}");
            return Err(Failure::Message(text));
        }
    }
    Ok(())
}

fn check_format(runner: &mut Runner) -> Result {
    runner.stage("format: cargo fmt --check");
    runner.run(&mut runner.cargo(&["fmt", "--all", "--check"]))
}

/// The root package turns on every feature of monitor-runtime but `off`, so this covers them together.
fn check_lints(runner: &mut Runner) -> Result {
    runner.stage("lints: cargo clippy, warnings as errors");
    runner.run(&mut runner.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

pub(crate) fn check_dependencies(runner: &mut Runner) -> Result {
    runner.stage("dependencies: the core and the attributes stay light");
    let servers = ["axum", "tokio", "sqlx", "sysinfo"];
    let export =
        ["opentelemetry", "opentelemetry-proto", "opentelemetry_sdk", "prost", "rustls", "tonic", "ureq"];
    refuse_dependencies(runner, &servers, &["monitor-runtime", "--no-default-features"])?;
    let macros_alone = ["monitor-runtime", "--no-default-features", "--features", "macros"];
    refuse_dependencies(runner, &servers, &macros_alone)?;
    refuse_dependencies(runner, &export, &["monitor-runtime"])?;
    refuse_other_dependencies(runner)
}

fn refuse_dependencies(runner: &Runner, unwanted: &[&str], package: &[&str]) -> Result {
    let mut found = dependencies(runner, package)?;
    found.retain(|name| unwanted.contains(&name.as_str()));
    let text = || format!("{} depends on: {}", package.join(" "), join(&found));
    found.is_empty().then_some(()).ok_or_else(|| Failure::Message(text()))
}

fn refuse_other_dependencies(runner: &Runner) -> Result {
    let mut found = dependencies(runner, &["monitor-macros", "--depth", "1"])?;
    found.retain(|name| !["monitor-macros", "syn", "quote", "proc-macro2"].contains(&name.as_str()));
    let text =
        || format!("monitor-macros depends on syn, quote and proc-macro2 only, not on: {}", join(&found));
    found.is_empty().then_some(()).ok_or_else(|| Failure::Message(text()))
}

/// The names of a package and of everything that it depends on.
fn dependencies(runner: &Runner, package: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = runner.cargo(&["--color", "never", "tree", "--edges", "normal", "--prefix", "none"]);
    let tree = runner.output(tree.args(["--format", "{p}", "--package"]).args(package))?;
    Ok(tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// What deny.toml asks for. Advisories are checked where their database can be had.
pub(crate) fn check_deny(runner: &mut Runner) -> Result {
    runner.stage("dependencies: cargo deny");
    let deny = |arguments: &[&str]| runner.cargo(&[&["deny", "--workspace", "--locked"], arguments].concat());
    if !runner.succeeds(&mut deny(&["--version"]))? {
        println!("cargo-deny is not installed: licences, bans, sources and advisories are not checked");
        return Ok(());
    }
    runner.run(&mut deny(&["check", "licenses", "bans", "sources"]))?;
    if !runner.succeeds(&mut deny(&["fetch", "db"]))? {
        println!("the advisories cannot be fetched: they are not checked");
        return Ok(());
    }
    runner.run(&mut deny(&["check", "--disable-fetch", "advisories"]))
}

pub(crate) fn check_features(runner: &mut Runner) -> Result {
    runner.stage(
        "features: monitor-runtime with none, each, all and each pair that meets in a file, prometheus/protobuf among them",
    );
    features::check(runner)
}

pub(crate) fn check_package(runner: &mut Runner) -> Result {
    runner.stage("packages: what a registry would get of the library");
    package::check(runner)
}

pub(crate) fn check_msrv(runner: &mut Runner) -> Result {
    runner.stage("oldest: the library with the oldest Rust and the oldest versions of other crates");
    msrv::check(runner)
}

fn check_docs(runner: &mut Runner) -> Result {
    runner.stage("docs: cargo doc as docs.rs runs it, warnings as errors");
    api_docs::check(runner)
}

/// The targets are several times what is measured, so only a machine that stood still misses one: the second try is for
/// that.
fn check_latencies(runner: &mut Runner) -> Result {
    runner.stage("latencies: each endpoint against its target");
    match bench(runner, "endpoints") {
        Err(Failure::Command(_)) => {
            println!("once more, in case the machine was busy");
            bench(runner, "endpoints")
        }
        result => result,
    }
}

/// Ten seconds show that the bench runs and that nothing leaks by the request; the ten minutes are in docs/benchmarks.md.
fn check_soak(runner: &mut Runner) -> Result {
    runner.stage("soak: the memory of a service under load");
    bench(runner, "soak")
}

fn bench(runner: &Runner, name: &str) -> Result {
    let mut bench = runner.cargo(&["bench", "--package", "monitor-endpoints-bench", "--bench", name]);
    runner.run(bench.args(["--", "--quick", "--check"]))
}

/// Features add up over a workspace, so what the attributes do when they are off is tested by itself.
fn check_off(runner: &mut Runner) -> Result {
    runner.stage("tests: the attributes turned off");
    runner.run(&mut runner.cargo(&["test", "--package", "monitor-macros", "--features", "off", "--tests"]))
}

/// So does what a crate reaches without default features.
fn check_metrics_alone(runner: &mut Runner) -> Result {
    runner.stage("tests: metrics without features");
    let alone = ["test", "--package", "monitor-runtime", "--no-default-features", "--test", "metrics_alone"];
    runner.run(&mut runner.cargo(&alone))
}

/// Refusals of features that the build lacks need a build without them.
fn check_plain_export(runner: &mut Runner) -> Result {
    runner.stage("tests: OTLP without TLS and gRPC");
    let plain = ["--package", "monitor-runtime", "--no-default-features", "--features", "otlp"];
    runner.run(runner.cargo(&["test"]).args(plain).args(["--lib", "otlp::"]))
}

/// The tests of the databases with sqlx 0.8, and those of other clients, in a workspace with a lock file of its own. Its
/// builds share the target directory, so crates that both lock files have in one form are built once.
fn check_database_clients(runner: &mut Runner) -> Result {
    runner.stage("tests: sqlx 0.8, sea-orm and deadpool-postgres");
    test_workspace(runner, "tests/database_clients/Cargo.toml")
}

/// The tests of the clients of language models, in a workspace of their own as well. They need no network.
pub(crate) fn check_model_clients(runner: &mut Runner) -> Result {
    runner.stage("tests: clients of language models");
    test_workspace(runner, "tests/model_clients/Cargo.toml")
}

fn test_workspace(runner: &mut Runner, manifest: &str) -> Result {
    let metadata = features::metadata(runner)?;
    let target = metadata["target_directory"].as_str().unwrap_or("target");
    let mut test = runner.cargo(&["test", "--quiet", "--locked", "--tests", "--manifest-path"]);
    test.args([manifest, "--target-dir", target]);
    runner.run(test.env("CARGO_INCREMENTAL", "0"))
}

/// That gate alone, with the databases it needs.
pub(crate) fn test_database_clients(runner: &mut Runner) -> Result {
    let scratch = Scratch::create()?;
    runner.set("TMPDIR", scratch.temporary());
    packages::install_missing(runner)?;
    runner.stage("databases");
    let _databases = Databases::start(runner, scratch.path())?;
    check_database_clients(runner)
}

fn check_fuzzing(runner: &mut Runner) -> Result {
    runner.stage("fuzzing: each target for ten seconds");
    fuzz::run(runner, 10, &[])
}

/// By nextest where it is installed, which runs each test in a process of its own but no doctests.
fn check_tests(runner: &mut Runner) -> Result {
    runner.stage("tests");
    let cargo = |arguments: &[&str]| {
        let mut cargo = runner.cargo(arguments);
        cargo.args(["--workspace", "--no-fail-fast"]);
        // The benches of calls turn on features of dependencies that no user has, which allocate, for example.
        for package in instructions::PACKAGES {
            cargo.args(["--exclude", package]);
        }
        cargo
    };
    if !runner.succeeds(&mut runner.cargo(&["nextest", "--version"]))? {
        return runner.run(&mut cargo(&["test"]));
    }
    let others = runner.run(&mut cargo(&["nextest", "run"]));
    runner.check()?;
    // What fails there is no reason to leave these out.
    runner.run(&mut cargo(&["test", "--doc"])).and(others)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Runs the gate with a bench that misses its targets so many times.
    fn latencies_after(misses: u32) -> Result {
        let folder = tempfile::tempdir().unwrap();
        let (cargo, tries) = (folder.path().join("cargo"), folder.path().join("tries"));
        let script = "#!/bin/sh\necho >>\"$TRIES\"; [ \"$(wc -l <\"$TRIES\")\" -gt \"$MISSES\" ]\n";
        fs::write(&cargo, script).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let mut runner = Runner::new();
        runner.set("PATH", format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap()));
        runner.set("TRIES", tries);
        runner.set("MISSES", misses.to_string());
        check_latencies(&mut runner)
    }

    #[test]
    fn one_missed_latency_passes() {
        latencies_after(1).unwrap();
    }

    #[test]
    fn second_missed_latency_fails() {
        assert_eq!(latencies_after(2).unwrap_err().code(), 1);
    }
}
