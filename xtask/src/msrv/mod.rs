//! The oldest Rust and the oldest versions of other crates that the library works with.

mod application;
mod compiler;
mod oldest;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::runner::Runner;
use compiler::Compiler;

/// The library; examples, benches and tests may need a newer Rust.
const PACKAGES: [&str; 2] = ["monitor-macros", "monitor-runtime"];

/// Features that turn off or bypass code under test.
const UNTESTED: [&str; 2] = ["off", "__fuzzing"];

/// Adds the library to an application whose lock file is months old. Then checks it with the oldest Rust and the oldest versions
/// in range, without features and with each one, and runs its unit tests with all features together.
///
/// All files, the compiler included, are kept below the target directory.
pub(crate) fn check(runner: &Runner) -> Result {
    let library = Library::read(runner)?;
    application::check(runner, &library.folder)?;
    let workspace = oldest::write(&library.folder)?;
    oldest::check(runner, &workspace)?;
    let Some(compiler) = Compiler::find(runner, &library.folder, &library.rust_version)? else {
        println!(
            "Rust {} cannot be had from this machine's packages: it is not tested",
            library.rust_version
        );
        return Ok(());
    };
    let cargo = |arguments: &[&str]| {
        let mut cargo = compiler.cargo(runner);
        cargo.args(arguments).args(["--locked", "--quiet"]).current_dir(&workspace);
        cargo.env("CARGO_TARGET_DIR", library.folder.join("build")).env("CARGO_INCREMENTAL", "0");
        // Nothing reads the debug information, which takes a good part of the time.
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo
    };
    runner.run(&mut cargo(&["check", "--package", "monitor-macros"]))?;
    for feature in [""].into_iter().chain(library.features.iter().map(String::as_str)) {
        println!(
            "Rust {}: {}",
            library.rust_version,
            if feature.is_empty() { "no feature" } else { feature }
        );
        let mut check = cargo(&["check", "--package", "monitor-runtime", "--no-default-features"]);
        runner.run(check.args(["--features", feature]))?;
    }
    let tested: Vec<_> =
        library.features.iter().map(String::as_str).filter(|name| !UNTESTED.contains(name)).collect();
    let features = tested.iter().map(|name| format!("monitor-runtime/{name}")).collect::<Vec<_>>().join(",");
    runner.run(&mut cargo(&["test", "--workspace", "--lib", "--features", &features]))
}

/// Writes the lock file of the oldest versions anew.
pub(crate) fn update(runner: &Runner) -> Result {
    oldest::update(runner, &oldest::write(&Library::read(runner)?.folder)?)
}

/// The library as its manifests describe it.
struct Library {
    /// The folder of everything that is kept between runs.
    folder: PathBuf,
    rust_version: String,
    /// All features but `default`.
    features: Vec<String>,
}

impl Library {
    fn read(runner: &Runner) -> Result<Self> {
        let metadata =
            runner.output(&mut runner.cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata = parse(&metadata)?;
        let packages: Vec<_> = array(&metadata["packages"])
            .filter(|package| PACKAGES.iter().any(|name| package["name"] == *name))
            .collect();
        let [macros, runtime] = packages[..] else {
            return Err(Failure::Message(format!(
                "the workspace does not have both of {}",
                PACKAGES.join(" ")
            )));
        };
        if macros["rust_version"] != runtime["rust_version"] {
            return Err(Failure::Message(format!("{} differ in `rust-version`", PACKAGES.join(" and "))));
        }
        let features = runtime["features"].as_object().into_iter().flatten();
        Ok(Self {
            folder: Path::new(text(&metadata["target_directory"])).join("msrv"),
            rust_version: text(&runtime["rust_version"]).to_owned(),
            features: features.map(|(name, _)| name.clone()).filter(|name| name != "default").collect(),
        })
    }
}

fn parse(json: &str) -> Result<Value> {
    serde_json::from_str(json).map_err(|error| Failure::Message(error.to_string()))
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
