//! The other pages: their commands, settings and files.

use std::fs;
use std::sync::Mutex;

use crate::docs::compare::{assert_lines, masked};
use crate::docs::health::assert_answers;
use crate::docs::page::{Page, root};
use crate::docs::project;
use crate::docs::service::Service;

const START: &str = "docs/getting_started.md";

shown_service!(example, "shown/getting_started.rs");

#[test]
fn getting_started_shows_commands_and_settings_that_there_are() {
    Page::open(START).check(&[
        ("Depend on the crate", "toml", project::features_exist),
        ("Look at it", "sh", requests),
        ("Look at it", "json", line),
        ("Point Prometheus at it", "yaml", scrape_config),
        ("Run the example service", "sh", project::commands_exist),
    ]);
}

#[test]
fn monitoring_setup_shows_existing_settings_and_commands() {
    Page::open("docs/monitoring_setup.md").check(&[
        ("Load the rules", "yaml", scrape_config),
        ("Put it under load", "sh", project::commands_exist),
    ]);
}

#[test]
fn attributes_architecture_and_migrations_show_rust_only() {
    Page::open("docs/attributes.md").check(&[]);
    Page::open("docs/models.md").check(&[]);
    Page::open("docs/other_attributes.md").check(&[]);
    Page::open("docs/architecture.md").check(&[]);
    Page::open("docs/from_autometrics.md").check(&[]);
    Page::open("docs/from_tracing_and_metrics.md").check(&[]);
}

#[test]
fn readme_and_attributes_name_every_option_of_the_grammar() {
    let source = fs::read_to_string(root().join("monitor-macros/src/parse/grammar.rs")).unwrap();
    let grammar = source.split("const GRAMMAR").nth(1).unwrap().split("];").next().unwrap();
    let options: Vec<_> = grammar.split("name: \"").skip(1).filter_map(|row| row.split('"').next()).collect();
    assert!(options.len() >= 9, "the grammar's rows are not read any more: {options:?}");
    for page in ["README.md", "docs/attributes.md"] {
        let rows: Vec<_> = Page::open(page).table("option").into_iter().map(|row| row[0].clone()).collect();
        for option in &options {
            assert!(rows.iter().any(|row| names(row, option)), "{page} leaves `{option}` out");
        }
    }
}

/// Whether the cell has the option's name as a word.
fn names(cell: &str, option: &str) -> bool {
    cell.split(|char: char| !char.is_alphanumeric() && char != '_').any(|word| word == option)
}

/// The lines that the page's service logs itself for the page's requests.
static LOGGED: Mutex<String> = Mutex::new(String::new());

fn requests(commands: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(example::SERVES, folder.path());
    service.wait_until_ready();
    let answers = service.curl(commands);
    assert_eq!(answers.len(), 5, "one request of the service's own, and the four of the monitor");
    assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200 ")), "{answers:?}");
    let moved = [
        "http_requests_total{method=\"POST\",endpoint=\"/ask\",status=\"200\"} 1",
        "agent_executions_total{agent_id=\"researcher\",status=\"success\"} 1",
        "skill_executions_total{skill_id=\"search_notes\",status=\"success\"} 1",
        "db_queries_total{operation=\"select\",query=\"find_notes\",status=\"success\"} 1",
    ];
    for line in moved {
        assert!(answers[4].contains(line), "{line}");
    }
    *LOGGED.lock().unwrap() = service.line_with("\"event\":\"answering\"") + "\n";
}

fn line(shown: &str) {
    let masked = |text: &str| masked(text, "\"request_id\":\"", "\"");
    let logged = LOGGED.lock().unwrap().clone();
    assert_lines(&masked(shown), &masked(&logged), concat!(module_path!(), "::example"), "notes");
}

fn scrape_config(shown: &str) {
    let path = shown.lines().find_map(|line| line.trim().strip_prefix("metrics_path: ")).unwrap();
    assert_answers(path);
}

#[test]
fn getting_started_names_every_feature_and_no_other() {
    let rows = Page::open(START).table("you want");
    let mut named: Vec<_> = rows.iter().flat_map(|row| row[1].split('`')).collect();
    named.retain(|word| project::features().iter().any(|feature| feature == word));
    named.sort_unstable();
    named.dedup();
    let mut features = project::features();
    features.sort_unstable();
    assert_eq!(named, features);
}

#[test]
fn architecture_names_places_that_there_are() {
    for row in Page::open("docs/architecture.md").table("place") {
        for place in row[0].split("`, `") {
            assert!(fs::exists(root().join(place)).unwrap(), "{place}");
        }
    }
}
