//! The public API of the library against that of an earlier commit, by cargo-semver-checks.
//!
//! By itself the tool would resolve and build every dependency anew, for each of both commits. Here it reads what rustdoc writes
//! of them, with the versions of their lock files, so one build of a dependency serves both, and no registry is asked.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::runner::Runner;
use crate::{api_docs, features};

/// Names the commit to compare with.
const FILE: &str = "xtask/semver.txt";

const TITLE: &str =
    "# The commit whose public API `cargo xtask semver` compares with; written by its --update.";

/// The packages of the library, with the names of their crates.
const PACKAGES: [(&str, &str); 2] =
    [("monitor-macros", "monitor_macros"), ("monitor-runtime", "monitor_runtime")];

const RUNTIME: &str = PACKAGES[1].0;

/// How the tool wants rustdoc to describe a crate: hidden and private items too, since they decide what users can implement.
const DESCRIBED: &str = "-Z unstable-options --output-format=json --document-private-items --document-hidden-items --cap-lints=allow";

/// Fails if the public API is not what a minor release of the baseline may have.
pub(crate) fn check(runner: &Runner) -> Result {
    let baseline = read(&fs::read_to_string(FILE)?)?;
    require_tool(runner)?;
    require_commit(runner, &baseline)?;
    let metadata = features::metadata(runner)?;
    let target = Path::new(metadata["target_directory"].as_str().unwrap_or("target"));
    let work = target.join("semver");
    let sources = unpack(runner, &baseline, &work)?;
    let before = describe(runner, &sources, target, &work.join("baseline"))?;
    let now = describe(runner, Path::new("."), target, &work.join("current"))?;
    for (package, name) in PACKAGES {
        println!("{package} since {baseline}");
        let file = format!("{name}.json");
        let mut compare = runner.cargo(&["semver-checks", "--release-type", "minor", "--baseline-rustdoc"]);
        compare.arg(before.join(&file)).arg("--current-rustdoc").arg(now.join(&file));
        runner.run(&mut compare)?;
    }
    Ok(())
}

/// Makes the present commit the baseline.
pub(crate) fn update(runner: &Runner) -> Result {
    let mut changes = runner.command("git");
    changes.args(["diff", "--quiet", "HEAD", "--"]).args(PACKAGES.map(|(package, _)| package));
    if !runner.succeeds(&mut changes)? {
        return Err(Failure::message("the library has changes that are not committed"));
    }
    let head = runner.output(runner.command("git").args(["rev-parse", "HEAD"]))?;
    Ok(fs::write(FILE, format!("{TITLE}\n{}\n", head.trim()))?)
}

/// The commit that the file names.
fn read(file: &str) -> Result<String> {
    let mut lines = file.lines().filter(|line| !line.starts_with('#'));
    let is_commit = |line: &&str| line.len() == 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (lines.next().filter(is_commit), lines.next()) {
        (Some(commit), None) => Ok(commit.to_owned()),
        _ => Err(Failure::Message(format!("{FILE} has to name one commit by its 40 digits"))),
    }
}

fn require_tool(runner: &Runner) -> Result {
    if runner.succeeds(&mut runner.cargo(&["semver-checks", "--version"]))? {
        return Ok(());
    }
    Err(Failure::message("cargo-semver-checks is missing: cargo install cargo-semver-checks --locked"))
}

/// A shallow clone may lack the commit.
fn require_commit(runner: &Runner, commit: &str) -> Result {
    let mut find = runner.command("git");
    if runner.succeeds(find.args(["cat-file", "-e", &format!("{commit}^{{commit}}")]))? {
        return Ok(());
    }
    let text = format!("this clone lacks the baseline: git fetch --depth 1 origin {commit}");
    Err(Failure::Message(text))
}

/// Writes the files of a commit, with the times of the commit, so that Cargo builds them once.
fn unpack(runner: &Runner, commit: &str, work: &Path) -> Result<PathBuf> {
    let (sources, archive) = (work.join("sources"), work.join("sources.tar"));
    let _ = fs::remove_dir_all(&sources);
    fs::create_dir_all(&sources)?;
    let mut pack = runner.command("git");
    runner.run(pack.args(["archive", "--format=tar", "--output"]).arg(&archive).arg(commit))?;
    let mut tar = runner.command("tar");
    runner.run(tar.arg("-xf").arg(&archive).arg("-C").arg(&sources))?;
    Ok(sources)
}

/// Describes the packages of a workspace with the features that docs.rs shows; returns the folder of the descriptions.
///
/// What is built on the way is kept in the common target directory. The descriptions need a folder for each commit, since
/// Cargo takes an existing one for its own.
fn describe(runner: &Runner, workspace: &Path, target: &Path, described: &Path) -> Result<PathBuf> {
    let mut doc = runner.cargo(&["doc", "--quiet", "--locked", "--no-deps"]);
    for (package, _) in PACKAGES {
        doc.args(["--package", package]);
    }
    doc.args(["--features", &shown_features(runner, workspace)?, "--target-dir"]).arg(described);
    doc.current_dir(workspace).env("CARGO_BUILD_BUILD_DIR", target).env("CARGO_INCREMENTAL", "0");
    doc.env("RUSTDOC", api_docs::rustdoc(target)?).env("RUSTDOCFLAGS", DESCRIBED);
    runner.run(&mut doc)?;
    Ok(described.join("doc"))
}

/// The features in `[package.metadata.docs.rs]`, as arguments of Cargo.
fn shown_features(runner: &Runner, workspace: &Path) -> Result<String> {
    let mut read = runner.cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&runner.output(read.current_dir(workspace))?)
        .map_err(|error| Failure::Message(error.to_string()))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.into_iter().find(|package| package["name"] == RUNTIME);
    let features = package.and_then(|package| package["metadata"]["docs"]["rs"]["features"].as_array());
    let features = features.into_iter().flatten().filter_map(Value::as_str);
    Ok(features.map(|feature| format!("{RUNTIME}/{feature}")).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "470ac657f8f3a1a1b2f5d9f1b2c3d4e5f6a7b8c9";

    #[test]
    fn file_names_one_whole_commit() {
        assert_eq!(read(&format!("{TITLE}\n{COMMIT}\n")).unwrap(), COMMIT);
        for wrong in ["", "main\n", "470ac65\n", &format!("{COMMIT}\n{COMMIT}\n")] {
            assert!(read(&format!("{TITLE}\n{wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn file_of_this_repository_can_be_read() {
        read(include_str!("../semver.txt")).unwrap();
    }
}
