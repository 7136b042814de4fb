//! The page on OpenTelemetry: its settings are those that are read, and its refusal is provoked.

use std::collections::BTreeSet;
use std::fs;

use monitor_runtime::otlp::Otlp;

use crate::docs::page::{Page, root};
use crate::docs::project;
use crate::support::subprocess::{self, Subprocess};

const PAGE: &str = "docs/opentelemetry.md";

#[test]
fn opentelemetry_shows_settings_that_are_accepted_and_refused() {
    Page::open(PAGE).check(&[
        ("Turn the export on", "toml", dependencies),
        ("Settings", "text", |shown| assert_eq!(started_with(&[("OTEL_BSP_MAX_QUEUE_SIZE", "many")]), shown)),
        ("Vendors", "sh", accepted),
        ("Vendors", "sh", accepted),
        ("Vendors", "sh", accepted),
        ("VictoriaMetrics", "sh", accepted),
    ]);
}

fn dependencies(shown: &str) {
    let features = shown.split("features = [").nth(1).unwrap().split(']').next().unwrap();
    assert!(project::features().iter().any(|known| format!("\"{known}\"") == features), "{features}");
}

fn accepted(setting: &str) {
    let variables: Vec<_> = setting.lines().map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!(started_with(&variables), "");
}

/// The error of a process that starts the export with these variables set, or nothing.
fn started_with(variables: &[(&str, &str)]) -> String {
    let ended = STARTS.command("").envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    said.lines().filter_map(|line| line.strip_prefix("refused: ")).flat_map(|line| [line, "\n"]).collect()
}

const STARTS: Subprocess = Subprocess::new(module_path!(), "starts");

#[test]
#[ignore = "run by a test of this page, in a process of its own"]
fn starts() {
    if subprocess::part().is_some()
        && let Err(error) = Otlp::builder().endpoint("http://127.0.0.1:1").start().map(std::mem::forget)
    {
        eprintln!("refused: {error}");
    }
}

/// The variables of a text, by their whole names.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.filter(|word| word.starts_with("OTEL_") && !word.ends_with('_')).map(str::to_owned).collect()
}

#[test]
fn the_page_and_the_module_have_the_same_table_of_variables() {
    let source = fs::read_to_string(root().join("monitor-runtime/src/otlp/mod.rs")).unwrap();
    let rows = |text: &str, prefix: &str| -> Vec<_> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned);
        lines.filter(|line| line.starts_with("| `OTEL_")).collect()
    };
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    assert_eq!(rows(&source, "//! "), rows(&page, ""));
}

#[test]
fn the_table_has_every_variable_that_is_read_and_no_other() {
    let folder = fs::read_dir(root().join("monitor-runtime/src/otlp")).unwrap();
    let files = folder.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let sources = files.map(|file| fs::read_to_string(file).unwrap());
    let code = sources.flat_map(|text| {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    });
    let mut read: BTreeSet<_> = code.flat_map(|line| variables(&line)).collect();
    // Put together from the prefix, the signal and these.
    let settings = [
        "ENDPOINT",
        "HEADERS",
        "TIMEOUT",
        "PROTOCOL",
        "COMPRESSION",
        "INSECURE",
        "CERTIFICATE",
        "CLIENT_CERTIFICATE",
        "CLIENT_KEY",
    ];
    read.extend(settings.map(|setting| format!("OTEL_EXPORTER_OTLP_{setting}")));
    let rows = Page::open(PAGE).table("variable");
    let shown: BTreeSet<_> = rows.iter().flat_map(|row| variables(&row[0])).collect();
    assert_eq!(shown, read);
}
