//! The reports of clippy for the same functions with their attributes and without.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The functions, as they are with their attributes.
pub(crate) const TRACKED: &str = include_str!("../ui/twins.rs");

/// The functions without the attributes, line by line where they were.
pub(crate) fn plain() -> String {
    let lines = TRACKED.lines().map(|line| match line.trim_start() {
        attribute if attribute.starts_with("#[track_") => line.replace(attribute, "//"),
        import if import.starts_with("use monitor_runtime") => String::new(),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One report: its line, its lint, and its place and text.
pub(crate) type Report = (u64, String, String);

/// The reports of clippy for the program, built as a package of its own.
pub(crate) fn reports(program: &str) -> BTreeSet<Report> {
    let package = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runtime = root.join("monitor-runtime");
    let manifest = format!(
        "[package]\nname = \"twins\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         monitor-runtime = {{ path = \"{}\", default-features = false, features = [\"macros\"] }}\n",
        runtime.display()
    );
    fs::write(package.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), package.path().join("Cargo.lock")).unwrap();
    fs::create_dir(package.path().join("src")).unwrap();
    fs::write(package.path().join("src/main.rs"), program).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["clippy", "--quiet", "--message-format", "json"]).current_dir(package.path());
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("twins"));
    // A driver that wraps the compiler would be handed on to clippy's.
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("RUSTFLAGS");
    let output = cargo.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let reports: BTreeSet<_> = said.lines().filter_map(|line| report(&line.parse().unwrap())).collect();
    assert!(!reports.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    reports
}

fn report(message: &Value) -> Option<Report> {
    let message = message.get("message")?;
    let lint = message["code"]["code"].as_str()?;
    assert!(!lint.starts_with('E'), "does not compile: {}", message["rendered"]);
    let span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    let place = ["column_start", "line_end", "column_end"].map(|name| span[name].as_u64().unwrap());
    let text = message["message"].as_str()?;
    Some((span["line_start"].as_u64()?, lint.to_owned(), format!("{place:?} {text}")))
}

/// The lints that each line of the functions is known to lose or to get, under `lost` or `added`.
pub(crate) fn known(difference: &str) -> BTreeSet<(u64, String)> {
    let marker = format!("// {difference}: ");
    let lines = (1..).zip(TRACKED.lines());
    let found = lines.flat_map(|(number, line)| {
        line.split("// ").filter_map(move |text| Some((number, text.strip_prefix(difference)?)))
    });
    assert!(TRACKED.contains(&marker));
    found.map(|(number, lint)| (number, lint.trim_start_matches(": ").trim().to_owned())).collect()
}
