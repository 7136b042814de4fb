//! An application whose lock file is months old, to which the library is added.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::runner::Runner;

const APPLICATION: &str = "tests/older_application";

/// Each crate with its locked versions.
type Locked<'l> = BTreeMap<&'l str, BTreeSet<&'l str>>;

/// Adds the library with all its features; fails if that moves a version, or adds a second version of a crate.
pub(super) fn check(runner: &Runner, kept: &Path) -> Result {
    let (copy, before) = (kept.join("application"), fs::read_to_string(format!("{APPLICATION}/Cargo.lock"))?);
    fs::create_dir_all(copy.join("src"))?;
    fs::write(copy.join("src/main.rs"), "fn main() {}\n")?;
    fs::write(copy.join("Cargo.lock"), &before)?;
    let manifest = fs::read_to_string(format!("{APPLICATION}/Cargo.toml"))?;
    let library = fs::canonicalize("monitor-runtime")?;
    let documented = fs::read_to_string(library.join("Cargo.toml"))?;
    let (features, library) = (features(&documented)?, library.display());
    let added = format!("{manifest}\n[dependencies.monitor-runtime]\npath = \"{library}\"\n{features}\n");
    fs::write(copy.join("Cargo.toml"), added)?;
    // Adds missing crates, and moves a version only if a requirement demands it.
    runner.run(runner.cargo(&["update", "--workspace", "--quiet"]).current_dir(&copy))?;
    let after = fs::read_to_string(copy.join("Cargo.lock"))?;
    let changes = changes(&locked(&before), &locked(&after));
    let text = || format!("{APPLICATION}: with the library, its lock file has {}", changes.join(", "));
    changes.is_empty().then_some(()).ok_or_else(|| Failure::Message(text()))
}

/// The line of the library's manifest that names all features for its documentation.
fn features(manifest: &str) -> Result<&str> {
    let documented = manifest.split("[package.metadata.docs.rs]").nth(1).unwrap_or_default();
    let line = documented.lines().find(|line| line.starts_with("features = "));
    line.ok_or_else(|| Failure::message("monitor-runtime does not name the features to document"))
}

fn locked(file: &str) -> Locked<'_> {
    let mut locked = Locked::new();
    let mut lines = file.lines();
    while let Some(line) = lines.next() {
        let Some(name) = quoted(line, "name") else { continue };
        let version = lines.next().and_then(|line| quoted(line, "version"));
        locked.entry(name).or_default().extend(version);
    }
    locked
}

fn quoted<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')
}

/// The crates whose versions changed; a new crate is not a change.
fn changes(before: &Locked<'_>, after: &Locked<'_>) -> Vec<String> {
    let list = |versions: &BTreeSet<&str>| versions.iter().copied().collect::<Vec<_>>().join(" and ");
    let none = BTreeSet::new();
    let versions = before.iter().map(|(name, before)| (name, before, after.get(name).unwrap_or(&none)));
    let changed = versions.filter(|(_, before, after)| before != after);
    changed.map(|(name, before, after)| format!("{name} {} for {}", list(after), list(before))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_moved_and_second_versions_are_changes() {
        let file = |crates: &[(&str, &str)]| {
            let entry = |(name, version): &(&str, &str)| {
                format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
            };
            crates.iter().map(entry).collect::<String>()
        };
        let before = file(&[("kept", "1.0.0"), ("moved", "1.0.0"), ("twice", "1.0.0")]);
        let after = file(&[
            ("kept", "1.0.0"),
            ("moved", "1.0.1"),
            ("new", "1.0.0"),
            ("twice", "1.0.0"),
            ("twice", "2.0.0"),
        ]);
        assert_eq!(
            changes(&locked(&before), &locked(&after)),
            ["moved 1.0.1 for 1.0.0", "twice 1.0.0 and 2.0.0 for 1.0.0"]
        );
    }
}
