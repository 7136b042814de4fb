//! The stages of Alloy and Promtail. Their expressions are `JMESPath`, and what they give is compared with the line.

use std::collections::BTreeMap;

use crate::log_shipping::{LINES_OF_THE_SERVICE, parsed, shipped};

/// Names and what they are given, as in `level = "level",` or `level: level`, of the block that begins with this line.
fn entries(text: &str, block: &str, assign: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines().skip_while(|line| line.trim() != block);
    let begin = lines.next().unwrap_or_else(|| panic!("there is no {block}"));
    let indent = |line: &str| line.len() - line.trim_start().len();
    let inside = lines.take_while(|line| indent(line) > indent(begin));
    let plain = |text: &str| text.trim().trim_matches([',', '"']).to_owned();
    inside
        .filter_map(|line| line.split_once(assign))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

/// The extracted fields, those that become labels, and those kept as metadata.
struct Stages {
    extracted: BTreeMap<String, String>,
    labels: Vec<String>,
    metadata: Vec<String>,
}

fn names(entries: BTreeMap<String, String>) -> Vec<String> {
    entries.into_keys().collect()
}

fn alloy() -> Stages {
    let text = shipped("logs/loki.alloy");
    let values_of = |stage: &str| {
        let (_, stage) = text.split_once(stage).unwrap_or_else(|| panic!("there is no {stage}"));
        names(entries(stage, "values = {", " = "))
    };
    assert!(text.contains("format = \"RFC3339Nano\""));
    Stages {
        extracted: entries(&text, "expressions = {", " = "),
        labels: values_of("stage.labels {"),
        metadata: values_of("stage.structured_metadata {"),
    }
}

fn promtail() -> Stages {
    let text = shipped("logs/promtail.yml");
    assert!(text.contains("format: RFC3339Nano"));
    Stages {
        extracted: entries(&text, "expressions:", ":"),
        labels: names(entries(&text, "- labels:", ":")),
        metadata: names(entries(&text, "- structured_metadata:", ":")),
    }
}

#[test]
fn every_expression_finds_its_field_in_every_line_that_has_it() {
    let extracted = alloy().extracted;
    assert!(extracted.len() >= 7, "the expressions are not read any more: {extracted:?}");
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for line in LINES_OF_THE_SERVICE.iter() {
        let (fields, data) = (parsed(line), jmespath::Variable::from_json(line).unwrap());
        for (name, expression) in &extracted {
            let value = jmespath::compile(expression).unwrap().search(&data).unwrap();
            assert_eq!(value.as_string().map(String::as_str), fields[name].as_str(), "{name} of {line}");
            *found.entry(name).or_default() += usize::from(!value.is_null());
        }
    }
    // Requests that name no trace have none.
    let missing: Vec<_> =
        extracted.keys().filter(|name| found[name.as_str()] == 0 && *name != "trace_id").collect();
    assert!(missing.is_empty(), "in no line: {missing:?}");
}

#[test]
fn promtail_and_alloy_do_the_same() {
    let (alloy, promtail) = (alloy(), promtail());
    assert_eq!(promtail.extracted, alloy.extracted);
    assert_eq!(promtail.labels, alloy.labels);
    assert_eq!(promtail.metadata, alloy.metadata);
}

#[test]
fn only_the_level_is_a_label_and_every_field_is_kept() {
    let Stages { extracted, labels, mut metadata } = alloy();
    assert_eq!(labels, ["level"]);
    metadata.extend(labels);
    metadata.push("timestamp".to_owned());
    metadata.sort_unstable();
    assert_eq!(metadata, names(extracted));
}

#[test]
fn timestamps_are_of_the_format_that_the_stages_name() {
    for line in LINES_OF_THE_SERVICE.iter() {
        let fields = parsed(line);
        let timestamp = fields["timestamp"].as_str().unwrap();
        // Go's RFC3339Nano takes any number of digits of a second, here six.
        let shape: String =
            timestamp.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000000Z", "{line}");
    }
}
