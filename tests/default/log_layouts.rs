//! The front of a JSON line under the names of each system, and the place in the source.

use std::error::Error;
use std::io;

use monitor_runtime::logging::{Format, Keys, Logging, LoggingBuilder};
use serde_json::{Value, json};
use tracing::{debug, error, info, info_span, trace, warn};

use crate::support::memory::text;

/// The lines of `run`, with `T` in place of the time.
fn lines(logging: LoggingBuilder, run: impl FnOnce()) -> Vec<String> {
    let text = text(logging.filter("trace"), run);
    text.lines().map(without_time).collect()
}

fn without_time(line: &str) -> String {
    let (name, rest) = line.split_once("\":\"").unwrap();
    let (time, rest) = rest.split_at("2026-03-21T09:30:00.000125Z".len());
    assert!(time.ends_with('Z') && time.as_bytes()[10] == b'T', "{line}");
    format!("{name}\":\"T{rest}")
}

/// The line of an event with every field that one of the systems names differently.
fn line_under(keys: Keys) -> String {
    let mut lines = lines(Logging::builder().keys(keys), || {
        let _span = info_span!("request", request_id = "r-1", trace_id = "0af7", span_id = "b7ad").entered();
        let cause = io::Error::other("disk gone");
        error!(target: "notes", error = &cause as &dyn Error, "error.type" = "io", attempt = 1, "not saved");
    });
    let line = lines.remove(0);
    serde_json::from_str::<Value>(&line).expect(&line);
    line
}

#[test]
fn by_default_a_line_has_our_names() {
    let expected = r#"{"timestamp":"T","level":"error","logger":"notes","event":"not saved","request_id":"r-1","trace_id":"0af7","span_id":"b7ad","error":"disk gone","error.type":"io","attempt":1}"#;
    assert_eq!(line_under(Keys::default()), expected);
}

/// <https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/>: `status` and `message` are
/// reserved, `timestamp` is one of the default date attributes, `logger.name`, `error.message` and `error.kind` are
/// standard attributes.
#[test]
fn datadog_has_its_reserved_and_standard_attributes() {
    let expected = r#"{"timestamp":"T","status":"error","logger.name":"notes","message":"not saved","request_id":"r-1","trace_id":"0af7","span_id":"b7ad","error.message":"disk gone","error.kind":"io","attempt":1}"#;
    assert_eq!(line_under(Keys::datadog()), expected);
}

/// <https://cloud.google.com/logging/docs/structured-logging>: `time`, `severity` and `message` are special fields.
#[test]
fn google_cloud_has_its_special_fields_and_severities() {
    let expected = r#"{"time":"T","severity":"ERROR","logger":"notes","message":"not saved","request_id":"r-1","trace_id":"0af7","span_id":"b7ad","error":"disk gone","error.type":"io","attempt":1}"#;
    assert_eq!(line_under(Keys::gcp()), expected);
    let lines = lines(Logging::builder().keys(Keys::gcp()), || {
        warn!("w");
        info!("i");
        debug!("d");
        trace!("t");
    });
    let severities: Vec<_> =
        lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["severity"].clone()).collect();
    assert_eq!(severities, ["WARNING", "INFO", "DEBUG", "DEBUG"]);
}

/// <https://www.elastic.co/docs/reference/ecs/ecs-field-reference>: `@timestamp` and `ecs.version` are required, the
/// others are in the field sets log, error and tracing.
#[test]
fn the_elastic_common_schema_has_its_fields() {
    let expected = r#"{"@timestamp":"T","log.level":"error","ecs.version":"8.11.0","log.logger":"notes","message":"not saved","request_id":"r-1","trace.id":"0af7","span.id":"b7ad","error.message":"disk gone","error.type":"io","attempt":1}"#;
    assert_eq!(line_under(Keys::ecs()), expected);
}

#[test]
fn a_field_with_one_of_the_names_of_the_line_gets_another() {
    let lines = lines(Logging::builder().keys(Keys::gcp()), || {
        let _span = info_span!("s", severity = 1, time = 2).entered();
        info!(target: "t", severity = 3, level = 4, "m");
    });
    let expected = r#"{"time":"T","severity":"INFO","logger":"t","message":"m","field.severity":1,"field.time":2,"field.field.severity":3,"field.level":4}"#;
    assert_eq!(lines, [expected]);
}

#[test]
fn secrets_are_hidden_under_whatever_name() {
    let logging = Logging::builder().keys(Keys::ecs()).redact(["error", "message"]);
    let lines = lines(logging, || error!(target: "t", error = "secret", "secret"));
    let expected = r#"{"@timestamp":"T","log.level":"error","ecs.version":"8.11.0","log.logger":"t","message":"[redacted]","error.message":"[redacted]"}"#;
    assert_eq!(lines, [expected]);
}

#[test]
fn a_place_in_the_source_is_written_as_each_system_has_it() {
    let place = |keys| {
        let mut lines = lines(Logging::builder().keys(keys).location(true), || info!(target: "t", "m"));
        serde_json::from_str::<Value>(&lines.remove(0)).unwrap()
    };
    let (file, line) = (file!(), line!() - 3);
    for keys in [Keys::default(), Keys::datadog()] {
        let shown = place(keys);
        assert_eq!((&shown["file"], &shown["line"]), (&json!(file), &json!(line)));
    }
    let shown = place(Keys::gcp());
    assert_eq!(
        shown["logging.googleapis.com/sourceLocation"],
        json!({ "file": file, "line": line.to_string() })
    );
    let shown = place(Keys::ecs());
    assert_eq!(
        (&shown["log.origin.file.name"], &shown["log.origin.file.line"]),
        (&json!(file), &json!(line))
    );
}

#[test]
fn a_place_is_shown_only_if_it_is_asked_for_and_takes_the_names() {
    let lines_with = |is_shown| {
        lines(Logging::builder().location(is_shown), || {
            let _import = info_span!("import", file = "tea.md").entered();
            info!(target: "t", line = 1, "m");
        })
    };
    let line = line!() - 3;
    let expected = r#"{"timestamp":"T","level":"info","logger":"t","event":"m","file":"tea.md","line":1}"#;
    assert_eq!(lines_with(false), [expected]);
    let expected = format!(
        r#"{{"timestamp":"T","level":"info","logger":"t","file":"{}","line":{line},"event":"m","field.file":"tea.md","field.line":1}}"#,
        file!()
    );
    assert_eq!(lines_with(true), [expected]);
}

#[test]
fn a_line_for_people_has_the_place_behind_the_logger() {
    let logging = Logging::builder().format(Format::Pretty).location(true);
    let text = text(logging, || info!(target: "t", a = 1, "m"));
    let place = format!(" INFO t {}:{}: m a=1\n", file!(), line!() - 1);
    assert!(text.ends_with(&place), "{text}");
}
