//! The library's packages, as a registry would get them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::features;
use crate::runner::Runner;

/// The folders of the packages, in the order in which they are published, with those of their folders that users need.
const PACKAGES: [(&str, &[&str]); 2] =
    [("monitor-macros", &["src", "expansions"]), ("monitor-runtime", &["src"])];

/// Copies of the files of the same name at the root.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Made by Cargo; the last one only in a clone.
const MADE: [&str; 4] = ["Cargo.lock", "Cargo.toml", "Cargo.toml.orig", ".cargo_vcs_info.json"];

/// Packs both packages. Fails unless each holds exactly the files that users need, describes itself, and compiles from these
/// files alone with every feature.
///
/// `cargo package` would build them with their default features only, and all their dependencies anew. This uses the
/// dependencies that the gate of the features has checked.
pub(crate) fn check(runner: &Runner) -> Result {
    let metadata = features::metadata(runner)?;
    let target = Path::new(metadata["target_directory"].as_str().unwrap_or("target")).join("package");
    let mut pack = runner.cargo(&["package", "--quiet", "--no-verify", "--allow-dirty"]);
    for (folder, _) in PACKAGES {
        pack.args(["--package", &described(&metadata, folder)?.name]);
    }
    runner.run(&mut pack)?;
    let unpacked = target.join("unpacked");
    let _ = fs::remove_dir_all(&unpacked);
    fs::create_dir_all(&unpacked)?;
    let mut packages = Vec::new();
    for (folder, kept) in PACKAGES {
        let package = described(&metadata, folder)?;
        package.check_description()?;
        let archive = format!("{}-{}.crate", package.name, package.version);
        // Archives have one date for all files and versions. With that date Cargo would take an earlier build for this one.
        let mut tar = runner.command("tar");
        runner.run(tar.args(["--touch", "-xzf"]).arg(target.join(archive)).arg("-C").arg(&unpacked))?;
        check_files(Path::new(""), folder, kept, &unpacked.join(package.folder()))?;
        packages.push(package);
    }
    if packages.iter().any(|package| package.repository.contains("//example.com/")) {
        println!("`repository` in Cargo.toml is a placeholder: set it before the first release");
    }
    check_sources(runner, &packages, &unpacked)
}

/// A package as its manifest describes it.
struct Described {
    name: String,
    version: String,
    repository: String,
    /// The fields that are missing or that a registry would refuse.
    faults: Vec<String>,
    features: Vec<String>,
}

impl Described {
    /// The folder in its archive.
    fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    fn check_description(&self) -> Result {
        let text = || format!("{}/Cargo.toml: {}", self.name, self.faults.join("; "));
        self.faults.is_empty().then_some(()).ok_or_else(|| Failure::Message(text()))
    }
}

fn described(metadata: &Value, folder: &str) -> Result<Described> {
    let manifest = format!("/{folder}/Cargo.toml");
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let package = packages
        .into_iter()
        .find(|package| package["manifest_path"].as_str().is_some_and(|path| path.ends_with(&manifest)));
    let package = package.ok_or_else(|| Failure::Message(format!("no package is in {folder}")))?;
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    let features = package["features"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    Ok(Described {
        name: text("name"),
        version: text("version"),
        repository: text("repository"),
        faults: faults(package),
        features: features.filter(|name| name != "default").collect(),
    })
}

/// What a registry requires, or shows to those who look for a crate.
fn faults(package: &Value) -> Vec<String> {
    let required =
        ["description", "license", "repository", "documentation", "readme", "rust_version"].into_iter();
    let mut faults: Vec<_> = required
        .filter(|name| package[name].as_str().is_none_or(str::is_empty))
        .map(|name| format!("`{}` is missing", name.replace('_', "-")))
        .collect();
    for name in ["keywords", "categories"] {
        let words: Vec<_> =
            package[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !(1..=5).contains(&words.len()) {
            faults.push(format!("`{name}` has {} entries, and a registry takes 1 to 5", words.len()));
        }
        // Of keywords alone: a category is a name from a list.
        faults.extend(
            words
                .iter()
                .filter(|word| name == "keywords" && word.len() > 20)
                .map(|word| format!("the keyword `{word}` is longer than 20 characters")),
        );
    }
    faults
}

/// Compares the unpacked files with those in the package's folder, and licences with those at the root.
fn check_files(root: &Path, folder: &str, kept: &[&str], unpacked: &Path) -> Result {
    let mut expected: BTreeSet<_> = ["README.md"].into_iter().chain(LICENCES).map(PathBuf::from).collect();
    for part in kept {
        find_files(&root.join(folder), Path::new(part), &mut expected)?;
    }
    let mut found = BTreeSet::new();
    find_files(unpacked, Path::new(""), &mut found)?;
    found.retain(|file| !MADE.iter().any(|made| file == Path::new(made)));
    let list = |files: Vec<&PathBuf>| {
        files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" ")
    };
    let (missing, extra) =
        (list(expected.difference(&found).collect()), list(found.difference(&expected).collect()));
    if !(missing.is_empty() && extra.is_empty()) {
        let text =
            format!("the package of {folder} lacks [{missing}] and has [{extra}] beyond; see its `include`");
        return Err(Failure::Message(text));
    }
    for licence in LICENCES {
        if fs::read(unpacked.join(licence))? != fs::read(root.join(licence))? {
            let text = format!("{folder}/{licence} differs from {licence}");
            return Err(Failure::Message(text));
        }
    }
    Ok(())
}

/// Adds the files below a part of a folder, relative to the folder.
fn find_files(folder: &Path, part: &Path, found: &mut BTreeSet<PathBuf>) -> Result {
    for entry in fs::read_dir(folder.join(part))? {
        let entry = entry?;
        let path = part.join(entry.file_name());
        if entry.path().is_dir() {
            find_files(folder, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

/// Checks the unpacked sources with every feature, as a workspace with our lock file and our profile: dependencies are then
/// those that are built already.
fn check_sources(runner: &Runner, packages: &[Described], unpacked: &Path) -> Result {
    let members: Vec<_> = packages.iter().map(Described::folder).collect();
    let patch = |package: &Described| format!("{} = {{ path = \"{}\" }}", package.name, package.folder());
    let patches = packages.iter().map(patch).collect::<Vec<_>>().join("\n");
    let manifest = format!(
        "[workspace]\nmembers = {members:?}\nresolver = \"3\"\n\n[profile.dev]\ndebug = \"line-tables-only\"\n\n\
         [patch.crates-io]\n{patches}\n"
    );
    fs::write(unpacked.join("Cargo.toml"), manifest)?;
    fs::copy("Cargo.lock", unpacked.join("Cargo.lock"))?;
    let Some(runtime) = packages.last() else { return Ok(()) };
    let mut check = runner.cargo(&["check", "--quiet", "--package", &runtime.name, "--no-default-features"]);
    check.args(["--features", &runtime.features.join(" ")]).current_dir(unpacked);
    check.env("CARGO_INCREMENTAL", "0").env("CARGO_TARGET_DIR", target_of(unpacked));
    runner.run(&mut check)
}

/// The target directory that the folder is in: `target/package/unpacked`.
fn target_of(unpacked: &Path) -> &Path {
    unpacked.ancestors().nth(2).unwrap_or(unpacked)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Writes a repository whose package `ours` has these files, and compares them with those that were unpacked.
    fn compare(written: &[&str], packed: &[&str]) -> Result {
        let folder = tempfile::tempdir().unwrap();
        let (root, unpacked) = (folder.path().join("root"), folder.path().join("unpacked"));
        for (folder, files) in [(&root, &LICENCES[..]), (&root.join("ours"), written), (&unpacked, packed)] {
            for file in files {
                let path = folder.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
        }
        check_files(&root, "ours", &["src"], &unpacked)
    }

    const PACKED: [&str; 5] = ["README.md", "LICENSE-APACHE", "LICENSE-MIT", "Cargo.toml", "src/lib.rs"];

    #[test]
    fn package_holds_its_sources_and_licences() {
        compare(&["src/lib.rs"], &PACKED).unwrap();
    }

    #[test]
    fn file_that_is_left_out_is_named() {
        let failure = compare(&["src/lib.rs", "src/more/words.txt"], &PACKED).unwrap_err();
        assert!(failure.to_string().contains("lacks [src/more/words.txt] and has []"), "{failure}");
        let failure = compare(&["src/lib.rs"], &PACKED[1..]).unwrap_err();
        assert!(failure.to_string().contains("lacks [README.md]"), "{failure}");
    }

    #[test]
    fn file_that_no_user_needs_is_named() {
        let packed = [&PACKED[..], &["tests/ui/fail/a.stderr"]].concat();
        let failure = compare(&["src/lib.rs", "tests/ui/fail/a.stderr"], &packed).unwrap_err();
        assert!(failure.to_string().contains("lacks [] and has [tests/ui/fail/a.stderr]"), "{failure}");
    }

    #[test]
    fn missing_and_refused_fields_are_named() {
        let package = json!({
            "description": "x", "license": "MIT", "repository": "https://example.com", "documentation": "x",
            "readme": "README.md", "rust_version": "1.85",
            "keywords": ["metrics"], "categories": ["asynchronous"],
        });
        assert_eq!(faults(&package), Vec::<String>::new());
        let mut package = package;
        package["repository"] = Value::Null;
        package["keywords"] = json!(["abcdefghijklmnopqrstu"]);
        package["categories"] = json!([]);
        assert_eq!(
            faults(&package),
            [
                "`repository` is missing",
                "the keyword `abcdefghijklmnopqrstu` is longer than 20 characters",
                "`categories` has 0 entries, and a registry takes 1 to 5"
            ]
        );
    }
}
