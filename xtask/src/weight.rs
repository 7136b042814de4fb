//! The weight of the library: how many crates it brings, and how long a cold build takes, beside three crates that do the same
//! job.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::features;
use crate::runner::Runner;

/// How a run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Only counts crates.
    pub(crate) is_count: bool,
    pub(crate) is_release: bool,
    /// Builds of each package, of which the quickest counts.
    pub(crate) rounds: u64,
}

/// A package of its own, outside of this workspace.
struct Contender {
    /// As docs/benchmarks.md has it.
    name: &'static str,
    /// Below `benches/weight`.
    source: &'static str,
    /// The features of monitor-runtime beside its default ones; `None` without the crate.
    features: Features,
    others: &'static str,
}

enum Features {
    NotUsed,
    Only(&'static str),
    DefaultAnd(&'static str),
    All,
}

const SERVER: &str = "axum = \"0.8\"\n\
                      tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\"] }\n\
                      tracing = \"0.1\"\n";

const TRIO: &str = "autometrics = { version = \"3.0\", features = [\"metrics-0_24\"] }\n\
                    axum-prometheus = \"0.10\"\n\
                    tracing-subscriber = { version = \"0.3\", features = [\"env-filter\", \"json\"] }\n\
                    axum = \"0.8\"\n\
                    tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\"] }\n\
                    tracing = \"0.1\"\n";

const CONTENDERS: [Contender; 5] = [
    Contender { name: "macros", source: "annotated.rs", features: Features::Only("macros"), others: "" },
    Contender { name: "default", source: "service.rs", features: Features::DefaultAnd(""), others: SERVER },
    Contender {
        name: "default + sqlx-sqlite",
        source: "service.rs",
        features: Features::DefaultAnd("sqlx-sqlite"),
        others: SERVER,
    },
    Contender { name: "all", source: "service.rs", features: Features::All, others: SERVER },
    Contender { name: "trio", source: "trio.rs", features: Features::NotUsed, others: TRIO },
];

/// Counts the crates of each contender, times cold builds in turn, and prints the table of docs/benchmarks.md.
pub(crate) fn run(runner: &Runner, options: Options) -> Result {
    let metadata = features::metadata(runner)?;
    let folder = Path::new(metadata["target_directory"].as_str().unwrap_or("target")).join("weight");
    let mut packages = Vec::new();
    for contender in &CONTENDERS {
        let package = write(contender, &metadata, &folder)?;
        // Brings what is not there yet, so that no build waits for the network.
        runner.run(runner.cargo(&["fetch", "--quiet"]).current_dir(&package))?;
        let crates = count(runner, &package)?;
        packages.push((contender, package, crates));
    }
    let mut quickest = vec![None; packages.len()];
    for round in 1..=if options.is_count { 0 } else { options.rounds } {
        for ((contender, package, _), quickest) in packages.iter().zip(&mut quickest) {
            let took = build(runner, package, options.is_release)?;
            println!("round {round}: {} in {:.1} s", contender.name, took.as_secs_f64());
            *quickest = Some(quickest.map_or(took, |before: Duration| before.min(took)));
        }
    }
    println!("\n| package | crates | seconds |\n| --- | --- | --- |");
    for ((contender, _, crates), quickest) in packages.iter().zip(&quickest) {
        let seconds = quickest.map_or_else(|| "-".to_owned(), |took| format!("{:.1}", took.as_secs_f64()));
        println!("| `{}` | {crates} | {seconds} |", contender.name);
    }
    let time_of = |name: &str| {
        let at = CONTENDERS.iter().position(|contender| contender.name == name)?;
        quickest[at].map(|took| took.as_secs_f64())
    };
    if let (Some(default), Some(trio)) = (time_of("default"), time_of("trio")) {
        println!("\nRATIO build_default_over_trio {:.2}", default / trio);
    }
    Ok(())
}

/// Writes a contender's package, locked to our versions where it uses the same crates.
fn write(contender: &Contender, metadata: &Value, folder: &Path) -> Result<PathBuf> {
    let package = folder.join(contender.name.replace(" + ", "-"));
    fs::create_dir_all(package.join("src"))?;
    let source = Path::new("benches/weight").join(contender.source);
    fs::copy(source, package.join("src/main.rs"))?;
    fs::copy("Cargo.lock", package.join("Cargo.lock"))?;
    let library = fs::canonicalize("monitor-runtime")?;
    let ours = dependency(&contender.features, &all_features(metadata)?, &library);
    // The empty table makes it a workspace of its own.
    let manifest = format!(
        "[package]\nname = \"weight\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{ours}{}",
        contender.others
    );
    fs::write(package.join("Cargo.toml"), manifest)?;
    Ok(package)
}

/// The line of the manifest about the library, if it is used.
fn dependency(features: &Features, all: &[String], library: &Path) -> String {
    let quoted = |names: &[&str]| {
        let names = names.iter().filter(|name| !name.is_empty());
        names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    };
    let (defaults, features) = match features {
        Features::NotUsed => return String::new(),
        Features::Only(name) => ("default-features = false, ", quoted(&[name])),
        Features::DefaultAnd(name) => ("", quoted(&[name])),
        Features::All => ("", quoted(&all.iter().map(String::as_str).collect::<Vec<_>>())),
    };
    format!("monitor-runtime = {{ path = \"{}\", {defaults}features = [{features}] }}\n", library.display())
}

/// The features that the library documents: all of those for users but `off`.
fn all_features(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let runtime = packages.into_iter().find(|package| package["name"] == "monitor-runtime");
    let features = runtime.and_then(|package| package["metadata"]["docs"]["rs"]["features"].as_array());
    let features = features.ok_or_else(|| {
        Failure::message("monitor-runtime/Cargo.toml names no features in `package.metadata.docs.rs`")
    })?;
    Ok(features.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// How many crates are built for it, build scripts' and macros' included, and itself left out.
fn count(runner: &Runner, package: &Path) -> Result<usize> {
    let mut tree = runner.cargo(&["--color", "never", "tree", "--edges", "normal,build", "--prefix", "none"]);
    let tree = runner.output(tree.args(["--format", "{p}"]).current_dir(package))?;
    Ok(crates(&tree))
}

/// The crates in the output of `cargo tree`, the first of which is the package itself.
fn crates(tree: &str) -> usize {
    let names = tree.lines().map(|line| line.trim_end_matches(" (*)").trim_end_matches(" (proc-macro)"));
    names.filter(|line| !line.is_empty()).collect::<BTreeSet<_>>().len().saturating_sub(1)
}

/// Builds a package without anything built before; a target directory of ours is no part of it.
fn build(runner: &Runner, package: &Path, is_release: bool) -> Result<Duration> {
    let target = package.join("target");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let mut cargo = runner.cargo(&["build", "--quiet", "--locked"]);
    if is_release {
        cargo.arg("--release");
    }
    cargo.current_dir(package).env("CARGO_TARGET_DIR", &target).env("CARGO_INCREMENTAL", "0");
    let start = Instant::now();
    runner.run(&mut cargo)?;
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crate_that_is_listed_twice_counts_once() {
        let tree = "weight v0.0.0 (/x)\nsyn v2.0.0\nquote v1.0.0\nsyn v2.0.0 (*)\nsyn v3.0.0\n\
                    thiserror-impl v2.0.0 (proc-macro)\nthiserror-impl v2.0.0 (proc-macro) (*)\n\n";
        assert_eq!(crates(tree), 4);
    }

    #[test]
    fn dependency_names_the_features() {
        let all = ["macros".to_owned(), "otlp".to_owned()];
        let line = |features| dependency(&features, &all, Path::new("/x"));
        assert_eq!(line(Features::NotUsed), "");
        assert_eq!(
            line(Features::Only("macros")),
            "monitor-runtime = { path = \"/x\", default-features = false, features = [\"macros\"] }\n"
        );
        assert_eq!(line(Features::DefaultAnd("")), "monitor-runtime = { path = \"/x\", features = [] }\n");
        assert_eq!(
            line(Features::All),
            "monitor-runtime = { path = \"/x\", features = [\"macros\", \"otlp\"] }\n"
        );
    }
}
