//! The statements of the pages about the project itself: commands, features, files.

use std::fs;

use crate::docs::page::root;

fn manifest() -> String {
    fs::read_to_string(root().join("monitor-runtime/Cargo.toml")).unwrap()
}

/// Checks that what the commands run is there; what they do has tests of its own.
pub(crate) fn commands_exist(commands: &str) {
    for command in commands.lines() {
        let words: Vec<_> = command.split_whitespace().collect();
        match &*words {
            ["cargo", "run", "--release", "--example", example, options @ ..] => takes(example, options),
            [script @ "scripts/test", ..] => assert!(root().join(script).is_file(), "{command}"),
            _ => panic!("no check is written for `{command}`"),
        }
    }
}

/// Whether the example is there and knows the options.
pub(crate) fn takes(example: &str, options: &[&str]) {
    let arguments = root().join("examples").join(example).join("args.rs");
    let known = fs::read_to_string(arguments).unwrap();
    let options = options.iter().filter_map(|option| option.strip_prefix("--"));
    for option in options.filter(|name| !name.is_empty()) {
        assert!(known.contains(&format!("Long(\"{option}\")")), "--{option}");
    }
}

/// Checks that dependencies ask for features that there are; that they suffice has a test of its own.
pub(crate) fn features_exist(dependencies: &str) {
    let runtime = dependencies.lines().filter(|line| line.starts_with("monitor-runtime = "));
    let lists = runtime.filter_map(|line| line.split("features = [").nth(1)?.split(']').next());
    for feature in lists.flat_map(|list| list.split(',')).map(|word| word.trim().trim_matches('"')) {
        assert!(features().iter().any(|known| known == feature), "{feature}");
    }
}

/// The features of `monitor-runtime`, `default` aside.
pub(crate) fn features() -> Vec<String> {
    let manifest = manifest();
    let lines = manifest.lines().skip_while(|line| *line != "[features]").skip(1);
    let features = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once(" = "));
    // Features that begin with an underscore are internal.
    let is_for_users = |name: &&str| *name != "default" && !name.starts_with('_');
    features.map(|(name, _)| name).filter(is_for_users).map(str::to_owned).collect()
}

/// The packages' own documentation: what docs.rs builds, and the page of the registry.
#[test]
fn docs_rs_builds_every_feature_that_has_items() {
    let manifest = manifest();
    let documented = manifest.split("[package.metadata.docs.rs]").nth(1).unwrap();
    let list = documented.split("features = [").nth(1).unwrap().split(']').next().unwrap();
    let documented: Vec<_> = list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).collect();
    let mut implied = features();
    // `http`, `disk` and the drivers imply the first two; the last one turns the attributes off.
    implied.retain(|name| !["health", "sqlx", "off"].contains(&name.as_str()));
    assert_eq!(documented, implied);
}

#[test]
fn readmes_name_the_same_versions_of_other_crates() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let sentence = "`axum` 0.8, `sqlx` 0.8 and 0.9, `prometheus` 0.14 and `tracing-subscriber` 0.3";
    assert!(read("monitor-runtime/README.md").contains(sentence));
    assert!(read("monitor-runtime/src/lib.rs").contains(sentence));
    let page = read("README.md");
    let manifest = read("Cargo.toml");
    for (name, versions, requirement) in [
        ("axum", "0.8", "{ version = \"0.8."),
        ("sqlx", "0.8 and 0.9", "{ version = \">=0.8.3, <0.10\""),
        ("prometheus", "0.14", "{ version = \"0.14."),
        ("tracing-subscriber", "0.3", "{ version = \"0.3."),
    ] {
        assert!(page.contains(&format!("| `{name}` | {versions} |")), "{name}");
        assert!(manifest.contains(&format!("\n{name} = {requirement}")), "{name}");
    }
}

#[test]
fn the_pages_name_the_rust_version_of_the_manifest() {
    let library = manifest();
    let version = library.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    for page in ["README.md", "docs/getting_started.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        assert!(text.contains(&format!("Rust version is {version}")), "{page}");
    }
}

#[test]
fn the_table_of_features_has_every_feature_and_no_other() {
    let header = fs::read_to_string(root().join("monitor-runtime/src/lib.rs")).unwrap();
    let rows = header.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
    let mut documented: Vec<_> = rows.map(str::to_owned).collect();
    let mut features = features();
    documented.sort_unstable();
    features.sort_unstable();
    assert_eq!(documented, features);
}
