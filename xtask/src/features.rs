//! The sets of features that monitor-runtime is checked with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::runner::Runner;

const PACKAGE: &str = "monitor-runtime";

/// Each feature, with what it turns on.
type Features = BTreeMap<String, Vec<String>>;

/// A feature of a dependency, which changes the types that `prometheus` shows. Another crate of the user's may turn it on.
const PROTOBUF: &str = "prometheus/protobuf";

/// Checks each set, two at a time.
///
/// A cargo command locks its target directory, so the second lane has its own. Dependencies are built once for each lane. Without
/// the files of an incremental build, a set takes half the time.
pub(crate) fn check(runner: &Runner) -> Result {
    let sets = sets_of_manifest(runner)?;
    let next = AtomicUsize::new(0);
    let lane = |target: Option<&Path>| -> Result {
        while let Some(set) = sets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let checked = check_set(runner, &set.join(" "), target);
            if checked.is_err() {
                // The other lane then takes no further set.
                next.store(sets.len(), Ordering::Relaxed);
            }
            checked?;
        }
        Ok(())
    };
    let second =
        metadata(runner)?["target_directory"].as_str().map(|target| Path::new(target).join("features"));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| lane(second.as_deref()));
        let first = lane(None);
        let second = second.join().expect("a lane does not panic");
        first.and(second)
    })
}

fn check_set(runner: &Runner, features: &str, target: Option<&Path>) -> Result {
    println!("features: {}", if features.is_empty() { "none" } else { features });
    let mut clippy = runner.cargo(&["clippy", "--quiet", "--package", PACKAGE, "--no-default-features"]);
    clippy.args(["--features", features]);
    if let Some(target) = target {
        clippy.arg("--target-dir").arg(target);
    }
    runner.run(clippy.args(["--", "-D", "warnings"]).env("CARGO_INCREMENTAL", "0"))
}

pub(crate) fn metadata(runner: &Runner) -> Result<Value> {
    let metadata = runner.output(&mut runner.cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    serde_json::from_str(&metadata).map_err(|error| Failure::Message(error.to_string()))
}

/// Reads the sets from the manifest, so that a new feature is checked from its first day.
pub(crate) fn sets_of_manifest(runner: &Runner) -> Result<Vec<Vec<String>>> {
    let metadata = metadata(runner)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages.into_iter().find(|package| package["name"] == PACKAGE);
    let package = package.ok_or_else(|| Failure::message("the workspace has no package monitor-runtime"))?;
    let sources = Path::new(PACKAGE).join("src");
    let mut files = Vec::new();
    read_module(&sources, "lib", &BTreeSet::new(), &mut files)?;
    // All but the root. The features of a file that no declaration led to would not be checked together.
    let (read, all) = (files.len(), count_sources(&sources)? - 1);
    if read != all {
        let text = format!("the modules of {} lead to {read} of its {all} files", sources.display());
        return Err(Failure::Message(text));
    }
    Ok(sets(&features_of(package), &files))
}

fn features_of(package: &Value) -> Features {
    let features = package["features"].as_object().into_iter().flatten();
    let strings = |list: &Value| {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    features.map(|(name, list)| (name.clone(), strings(list))).collect()
}

/// Collects the features that decide about each file: those that the file names, and those that its modules are behind.
fn read_module(
    folder: &Path,
    name: &str,
    behind: &BTreeSet<String>,
    files: &mut Vec<BTreeSet<String>>,
) -> Result {
    let below = folder.join(name);
    // `lib.rs` and `mod.rs` have their modules beside them, and any other file in the folder of its name.
    let (file, modules) = match name {
        "lib" => (folder.join("lib.rs"), folder.to_owned()),
        _ if below.is_dir() && below.join("mod.rs").exists() => (below.join("mod.rs"), below),
        _ => (folder.join(format!("{name}.rs")), below),
    };
    let text = fs::read_to_string(&file)?;
    let mut attributes = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(module) = declared_module(line) {
            let behind = behind.union(&named(&attributes)).cloned().collect();
            read_module(&modules, module, &behind, files)?;
        }
        // Attributes may have several lines, and end with the item that they are for.
        if line.ends_with([';', '{', '}']) {
            attributes.clear();
        } else {
            attributes.push_str(line);
        }
    }
    // The root names every feature, and none for its own sake.
    if name != "lib" {
        files.push(behind.union(&named(&text)).cloned().collect());
    }
    Ok(())
}

/// The module in a file of its own that a line declares, whatever its visibility.
fn declared_module(line: &str) -> Option<&str> {
    let mut rest = line.strip_prefix("pub").unwrap_or(line);
    if rest.starts_with('(') {
        (_, rest) = rest.split_once(')')?;
    }
    rest.trim_start().strip_prefix("mod ")?.strip_suffix(';')
}

/// The number of source files in a folder and below.
fn count_sources(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            count += count_sources(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            count += 1;
        }
    }
    Ok(count)
}

/// The features that a text names in conditions.
fn named(text: &str) -> BTreeSet<String> {
    let names = text.split("feature = \"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(str::to_owned).collect()
}

/// None, each feature alone, all, and each pair that decides about one file, where `prometheus/protobuf` counts as one
/// more feature.
///
/// Features that meet in no file cannot break each other's code. Pairs that come to the same once what their features imply
/// is added are there once.
fn sets(features: &Features, files: &[BTreeSet<String>]) -> Vec<Vec<String>> {
    let in_sources: BTreeSet<_> = files.iter().flatten().cloned().collect();
    let comes_to = |set: &[String]| -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for name in set {
            imply(features, name, &mut all);
        }
        all.intersection(&in_sources).cloned().collect()
    };
    let names: Vec<_> = features.keys().filter(|name| *name != "default").cloned().collect();
    let mut sets = vec![Vec::new()];
    sets.extend(names.iter().map(|name| vec![name.clone()]));
    sets.push(names.clone());
    let with_protobuf = sets.iter().map(|set| [set.as_slice(), &[PROTOBUF.to_owned()]].concat());
    let with_protobuf: Vec<_> = with_protobuf.collect();
    let mut seen: BTreeSet<_> = sets.iter().map(|set| comes_to(set)).collect();
    for (at, first) in names.iter().enumerate() {
        let meet = |second: &String| files.iter().any(|file| file.contains(first) && file.contains(second));
        let pairs = names[at + 1..].iter().filter(|second| meet(second));
        let pairs = pairs.map(|second| vec![first.clone(), second.clone()]);
        sets.extend(pairs.filter(|pair| seen.insert(comes_to(pair))));
    }
    sets.extend(with_protobuf);
    // Our sources do not name `off`: it changes monitor-macros.
    sets.push(vec!["macros".into(), "off".into()]);
    sets
}

/// Adds a feature and the features that it implies; `dep:x`, `x/y` and `x?/y` are about dependencies.
fn imply(features: &Features, name: &str, all: &mut BTreeSet<String>) {
    if let Some(more) = features.get(name)
        && all.insert(name.to_owned())
    {
        for name in more {
            imply(features, name, all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_declared_with_any_visibility() {
        for line in ["mod a;", "pub mod a;", "pub(crate) mod a;", "pub(in crate::logging) mod a;"] {
            assert_eq!(declared_module(line), Some("a"), "{line}");
        }
        for line in ["mod a {", "use a;", "pub use mod_a;", "modules;"] {
            assert_eq!(declared_module(line), None, "{line}");
        }
    }

    #[test]
    fn pairs_that_meet_in_a_file_are_there_once() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let features = Features::from([
            ("default".into(), list(&["a"])),
            ("a".into(), list(&["dep:x"])),
            ("b".into(), list(&["a", "y?/z"])),
            ("c".into(), list(&[])),
            ("unnamed".into(), list(&["x/y"])),
        ]);
        let files = [&["a", "b"][..], &["a", "c"], &[]].map(|names| BTreeSet::from_iter(list(names)));
        let sets: Vec<_> = sets(&features, &files).iter().map(|set| set.join(" ")).collect();
        // `a b` comes to `b`, and `b c` meet in no file.
        assert_eq!(
            sets,
            [
                "",
                "a",
                "b",
                "c",
                "unnamed",
                "a b c unnamed",
                "a c",
                "prometheus/protobuf",
                "a prometheus/protobuf",
                "b prometheus/protobuf",
                "c prometheus/protobuf",
                "unnamed prometheus/protobuf",
                "a b c unnamed prometheus/protobuf",
                "macros off"
            ]
        );
    }
}
