//! The pages for those who run many instances: their configurations, and the series that they count.

use std::fs;
use std::process::Command;

use monitor_runtime::{metrics, track_agent, track_query};

use crate::docs::page::{Page, root};
use crate::support::exposition::Exposition;

const PAGE: &str = "docs/scaling.md";

#[test]
fn scaling_shows_configurations_that_prometheus_takes() {
    Page::open(PAGE)
        .check(&[("Where to drop", "yaml", prometheus_takes), ("Where to shard", "yaml", prometheus_takes)]);
}

fn prometheus_takes(configuration: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, configuration).unwrap();
    // The file of targets is looked for, and may be missing.
    let said = Command::new("promtool").args(["check", "config"]).arg(&file).output().unwrap();
    assert!(said.status.success(), "{}\n{configuration}", String::from_utf8_lossy(&said.stderr));
}

#[track_agent("scaling_agent", log_errors = false)]
fn agent(succeeds: bool) -> Result<(), ()> {
    if succeeds { Ok(()) } else { Err(()) }
}

#[track_query("scaling_query", operation = "select")]
fn query() {}

/// The number of series with this label in a scrape.
fn series(name: &str, value: &str) -> usize {
    let scrape = Exposition::read(&metrics::render());
    let samples = scrape.families().iter().flat_map(|family| &family.samples);
    samples.filter(|sample| sample.label(name) == Some(value)).count()
}

#[test]
fn scaling_states_the_real_series_of_an_agent_and_a_query() {
    let text = Page::open(PAGE);
    let rows = text.table("item");
    let says = |what: &str, words: &str| {
        let row = rows.iter().find(|row| row[0].starts_with(what)).unwrap();
        assert!(row[1].contains(words), "{what}: {words} is not in {}", row[1]);
    };
    let _ = agent(true);
    says("an agent", &format!("{} if it only succeeds", series("agent_id", "scaling_agent")));
    let _ = agent(false);
    says("an agent", &format!("{} if it fails as well", series("agent_id", "scaling_agent")));
    query();
    let (counters, all) = (4, series("query", "scaling_query"));
    says("a query", &format!("{counters}, and {} for each outcome", all - counters));
}

#[test]
fn log_shipping_shows_commands_and_queries_of_what_there_is() {
    Page::open("docs/log_shipping.md")
        .check(&[("Ship to Loki", "logql", names_fields), ("Ship to OpenSearch", "sh", names_files)]);
}

/// Every name that a query compares is a label or a field of the lines.
fn names_fields(queries: &str) {
    let known = ["job", "level", "agent_id", "request_id", "event", "rounds"];
    for word in queries.split(|char: char| !char.is_alphanumeric() && char != '_') {
        let is_compared = queries.contains(&format!("{word} = ")) || queries.contains(&format!("{word}=\""));
        assert!(!is_compared || word.is_empty() || known.contains(&word), "{word}");
    }
}

fn names_files(commands: &str) {
    for word in commands.split([' ', '@']).filter(|word| word.starts_with("docs/")) {
        assert!(root().join(word).is_file(), "{word}");
    }
}
