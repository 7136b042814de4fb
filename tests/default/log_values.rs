//! Values that are not to be read, or not in full: replaced and cut, wherever they come from.

use std::error::Error;
use std::fmt::{self, Display};
use std::time::Duration;

use monitor_runtime::logging::{Format, Logging, LoggingBuilder, LoggingError};
use monitor_runtime::{context, track_agent, track_query, track_skill};
use serde_json::{Value, json};
use tracing::field::{Empty, display};
use tracing::{info, info_span};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::memory::{Memory, lines, text};

const SECRET: &str = "hunter2";

fn redacting() -> LoggingBuilder {
    Logging::builder().redact(["password", "Authorization"]).redact([String::from("pin")])
}

#[track_agent(id = user, fields(password = SECRET, pin = 1_234))]
fn agent(user: &str) {
    skill();
}

#[track_skill(fields(AUTHORIZATION = %SECRET, http.request.header.authorization = ?SECRET))]
fn skill() {
    query();
}

#[track_query(operation = "select", fields(user = "u"))]
fn query() {
    let span = info_span!("span", Password = SECRET, later.pin = Empty).entered();
    span.record("later.pin", 4_321);
    context::bind("user.password", SECRET);
    context::bind("count", 3);
    info!(password = SECRET, pin = Some(SECRET), passwords = 2, "logged in");
}

#[test]
fn only_secrets_are_redacted_wherever_bound_or_logged() {
    let lines = lines(redacting(), || agent("planner"));
    let mark = &json!("[redacted]");
    assert_eq!(
        lines[0].fields(),
        [
            ("agent_id", &json!("planner")),
            ("skill_id", &json!("skill")),
            ("query", &json!("query")),
            ("password", mark),
            ("pin", mark),
            ("AUTHORIZATION", mark),
            ("http.request.header.authorization", mark),
            ("user", &json!("u")),
            ("Password", mark),
            ("later.pin", mark),
            ("user.password", mark),
            ("count", &json!(3)),
            ("field.password", mark),
            ("field.pin", mark),
            ("passwords", &json!(2)),
        ]
    );
}

#[test]
fn a_line_for_people_hides_the_same() {
    let text = text(redacting().format(Format::Pretty), || agent("planner"));
    assert!(!text.contains(SECRET) && !text.contains("1234") && !text.contains("4321"), "{text}");
    assert!(text.contains(" password=[redacted] pin=[redacted] "), "{text}");
}

#[test]
fn the_id_of_a_call_can_be_a_secret_as_well() {
    let lines = lines(Logging::builder().redact(["agent_id"]), || agent("alice"));
    assert_eq!(lines[0].text("agent_id"), "[redacted]");
    assert_eq!(lines[0].text("skill_id"), "skill");
}

/// An error with a source.
#[derive(Debug)]
struct Refused(&'static str, Option<Box<Refused>>);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[track_skill]
fn refused() -> Result<(), Refused> {
    Err(Refused(SECRET, Some(Box::new(Refused(SECRET, None)))))
}

#[test]
fn an_error_that_is_a_secret_hides_its_sources_too() {
    let lines = lines(Logging::builder().redact(["error"]), || assert!(refused().is_err()));
    assert_eq!((lines[0].text("error"), lines[0].text("error.chain")), ("[redacted]", "[redacted]"));
}

#[test]
fn redaction_of_one_output_does_not_affect_another() {
    let (open, closed) = (Memory::default(), Memory::default());
    for order in [false, true] {
        let first = if order { redacting() } else { Logging::builder() };
        let second = if order { Logging::builder() } else { redacting() };
        let (a, b) = if order { (&closed, &open) } else { (&open, &closed) };
        let (first, _first) = first.writer(a.clone()).layer().unwrap();
        let (second, _second) = second.writer(b.clone()).layer().unwrap();
        let subscriber = tracing_subscriber::registry().with(first).with(second);
        tracing::subscriber::with_default(subscriber, || agent("planner"));
    }
    assert_eq!(open.text().matches(SECRET).count(), 2 * 7, "{}", open.text());
    assert_eq!(closed.text().matches(SECRET).count(), 0, "{}", closed.text());
    assert_eq!(closed.text().lines().count(), 2);
}

#[test]
fn a_text_above_the_limit_is_cut_and_notes_the_lost_bytes() {
    let long = format!("{}é{}", "a".repeat(63), "b".repeat(1 << 20));
    let lines = lines(Logging::builder().max_value_bytes(64), || {
        let _span = info_span!("s", span = long).entered();
        context::bind("bound", display(&long));
        let error = Refused("short", Some(Box::new(Refused(&*long.clone().leak(), None))));
        info!(own = ?Some(&long), error = &error as &dyn Error, number = u64::MAX, exact = "x".repeat(64), "{long}");
    });
    let cut = format!("{}…[truncated 1048578 bytes]", "a".repeat(63));
    for name in ["event", "span", "bound", "error.chain"] {
        assert_eq!(lines[0].text(name), cut, "{name}");
    }
    assert!(lines[0].text("own").starts_with("Some(\"aaa") && lines[0].text("own").len() < 100);
    assert_eq!(lines[0].text("error"), "short");
    assert_eq!(lines[0].text("exact"), "x".repeat(64));
    assert_eq!(lines[0].get("number"), Some(&Value::from(u64::MAX)));
}

#[test]
fn a_line_for_people_is_cut_as_well() {
    let logging = Logging::builder().max_value_bytes(64).format(Format::Pretty);
    let text = text(logging, || info!(own = "a".repeat(100), "{}", "b".repeat(100)));
    assert!(text.contains(&format!(": {}…[truncated 36 bytes] ", "b".repeat(64))), "{text}");
    assert!(text.contains(&format!("=\"{}…[truncated 36 bytes]\"", "a".repeat(64))), "{text}");
}

fn refusal(logging: LoggingBuilder) -> LoggingError {
    logging.layer::<Registry>().map(|_| ()).expect_err("the setting is wrong")
}

#[test]
fn a_setting_that_can_do_no_good_is_an_error_that_names_it() {
    let limit =
        "expected at least 1 line per a time longer than 0, as in `rate_limit(10, Duration::from_secs(1))`";
    let names = "expected names of fields, as in `redact([\"password\", \"token\"])`";
    let cases = [
        (
            Logging::builder().queue_bytes(0),
            "queue_bytes is 0; expected the size of the queue of log lines in bytes, at least 1 (8388608 by default)".to_owned(),
        ),
        (
            Logging::builder().rate_limit(0, Duration::from_secs(1)),
            format!("rate_limit is 0 lines per 1s; {limit}"),
        ),
        (Logging::builder().rate_limit(5, Duration::ZERO), format!("rate_limit is 5 lines per 0ns; {limit}")),
        (Logging::builder().redact(["a", ""]), format!("redact has the name \"\"; {names}")),
        (Logging::builder().redact([" \t"]), format!("redact has the name \" \\t\"; {names}")),
        (
            Logging::builder().max_value_bytes(0),
            "max_value_bytes is 0; expected at least 64, so that ids stay whole".to_owned(),
        ),
        (
            Logging::builder().max_value_bytes(63),
            "max_value_bytes is 63; expected at least 64, so that ids stay whole".to_owned(),
        ),
    ];
    for (logging, message) in cases {
        assert_eq!(refusal(logging).to_string(), message);
    }
}
