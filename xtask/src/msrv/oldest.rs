//! A workspace of the library alone, locked to the oldest version of each crate that its manifests name.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{PACKAGES, array, parse, text};
use crate::failure::{Failure, Result};
use crate::runner::Runner;
use crate::toolchain;

/// The lock file is kept, so that a crate's new release breaks no gate.
const LOCK: &str = "xtask/oldest.lock";

/// Writes the workspace, whose members are links to ours.
pub(super) fn write(kept: &Path) -> Result<PathBuf> {
    let workspace = kept.join("workspace");
    fs::create_dir_all(&workspace)?;
    for member in PACKAGES {
        let (original, link) = (fs::canonicalize(member)?, workspace.join(member));
        if fs::read_link(&link).ok().as_ref() != Some(&original) {
            let _ = fs::remove_file(&link);
            symlink(original, link)?;
        }
    }
    fs::write(workspace.join("Cargo.toml"), manifest(&fs::read_to_string("Cargo.toml")?))?;
    Ok(workspace)
}

/// The manifest of the workspace: the tables that members inherit, without debug information, which would only cost time.
fn manifest(root: &str) -> String {
    let mut is_inherited = false;
    let inherited = root.lines().filter(|line| {
        if line.starts_with('[') {
            is_inherited = line.starts_with("[workspace.");
        }
        is_inherited
    });
    let head =
        format!("[workspace]\nmembers = {PACKAGES:?}\nresolver = \"3\"\n\n[profile.dev]\ndebug = false\n\n");
    head + &inherited.collect::<Vec<_>>().join("\n") + "\n"
}

/// Copies the kept lock file into the workspace; fails unless it has the lower bound of each range.
pub(super) fn check(runner: &Runner, workspace: &Path) -> Result {
    fs::copy(LOCK, workspace.join("Cargo.lock"))?;
    let host = toolchain::host(runner)?;
    let arguments =
        ["metadata", "--locked", "--all-features", "--format-version", "1", "--filter-platform", &host];
    let metadata = match runner.output(runner.cargo(&arguments).current_dir(workspace)) {
        Err(Failure::Command(_)) => return Err(outdated("it does not match the manifests")),
        metadata => parse(&metadata?)?,
    };
    let newer = newer_than_bounds(&metadata);
    newer.is_empty().then_some(()).ok_or_else(|| outdated(&newer.join("; ")))
}

fn outdated(reason: &str) -> Failure {
    Failure::Message(format!("{LOCK}: {reason}; run `cargo xtask msrv --update`"))
}

/// Locks each crate that a manifest names to the oldest version in range, and all others to the newest for the oldest Rust.
///
/// Cargo offers this to nightly toolchains; `RUSTC_BOOTSTRAP` makes any toolchain one.
pub(super) fn update(runner: &Runner, workspace: &Path) -> Result {
    let lock = workspace.join("Cargo.lock");
    let _ = fs::remove_file(&lock);
    let mut generate = runner.cargo(&["generate-lockfile", "--quiet", "-Z", "direct-minimal-versions"]);
    runner.run(generate.current_dir(workspace).env("RUSTC_BOOTSTRAP", "1"))?;
    fs::copy(lock, LOCK)?;
    check(runner, workspace)
}

/// The crates of the library's manifests that are locked to another version than their lower bound.
fn newer_than_bounds(metadata: &Value) -> Vec<String> {
    let mut newer = Vec::new();
    let version_of = |id: &Value, name: &str| {
        array(&metadata["packages"])
            .find(|package| package["id"] == *id && package["name"] == *name)
            .map(|package| text(&package["version"]).split('+').next().unwrap_or_default())
    };
    for package in array(&metadata["packages"]).filter(|package| package["source"].is_null()) {
        let nodes = array(&metadata["resolve"]["nodes"]).filter(|node| node["id"] == package["id"]);
        let used: Vec<_> = nodes.flat_map(|node| array(&node["deps"])).collect();
        for dependency in array(&package["dependencies"]).filter(|dependency| dependency["path"].is_null()) {
            let (name, bound) = (text(&dependency["name"]), lower_bound(text(&dependency["req"])));
            let locked = used.iter().find_map(|used| version_of(&used["pkg"], name));
            if let Some(locked) = locked.filter(|locked| *locked != bound) {
                newer.push(format!("{name} is {locked} and its lower bound {bound}"));
            }
        }
    }
    newer.dedup();
    newer
}

/// Reads `^1.2.3` and `>=1.2.3, <3`.
fn lower_bound(range: &str) -> &str {
    range.split(',').next().unwrap_or_default().trim_start_matches(['^', '>', '='])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn manifest_has_what_members_inherit() {
        let root = "[workspace]\nmembers = [\".\"]\n\n[workspace.package]\nversion = \"1.0.0\"\n\n[profile.release]\n\
                    debug = true\n\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
        let manifest = manifest(root);
        assert!(manifest.starts_with("[workspace]\nmembers = [\"monitor-macros\", \"monitor-runtime\"]\n"));
        assert!(manifest.ends_with(
            "[workspace.package]\nversion = \"1.0.0\"\n\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"
        ));
        assert!(!manifest.contains("[profile.release]"), "{manifest}");
    }

    #[test]
    fn crates_over_their_bounds_are_named() {
        let metadata = json!({
            "packages": [
                {"id": "ours", "name": "ours", "version": "1.0.0", "source": null, "dependencies": [
                    {"name": "at", "req": ">=0.8.1, <0.10"},
                    {"name": "over", "req": "^1.2.0"},
                    {"name": "member", "req": "^9.9.9", "path": "/member"},
                ]},
                {"id": "a", "name": "at", "version": "0.8.1+build", "source": "registry", "dependencies": []},
                {"id": "o", "name": "over", "version": "1.2.1", "source": "registry", "dependencies": []},
            ],
            "resolve": {"nodes": [{"id": "ours", "deps": [{"pkg": "a"}, {"pkg": "o"}]}]},
        });
        assert_eq!(newer_than_bounds(&metadata), ["over is 1.2.1 and its lower bound 1.2.0"]);
    }
}
