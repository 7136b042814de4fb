//! Arbitrary fields under arbitrary names: one line an event, equal to a model of the contract.

use monitor_runtime::logging::{Format, Logging};
use proptest::prelude::*;

use crate::support::log_case::{LogCase, Logged, Rules, breaks_a_line};
use crate::support::log_line::LogLine;
use crate::support::memory;

/// Names that collide, names of the line itself, and names nobody would choose.
fn name() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "a",
        "b",
        "field.a",
        "field.field.a",
        "a.chain",
        "level",
        "event",
        "logger",
        "timestamp",
        "field.event",
        "message",
        "request_id",
        "agent_id",
        "skill_id",
        "query",
        "query.chain",
        "trace_id",
        "span_id",
        "error",
        "error.chain",
        "password",
        "Password",
        "user.password",
        "r#type",
        "type",
        "",
        "\"",
        "\n",
    ];
    prop_oneof![4 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => any::<String>()]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\u{0}-\u{20}\"\\\\\u{7f}-\u{9f}\u{2028}a]{0,40}",
        "[a-z ]{0,40}",
        "[\n\"a\u{85}é€\u{2028}🦀]{20,80}"
    ]
}

fn logged() -> impl Strategy<Value = Logged> {
    prop_oneof![
        any::<i64>().prop_map(Logged::Signed),
        any::<u64>().prop_map(Logged::Unsigned),
        any::<i128>().prop_map(Logged::Wide),
        (-1 << 70..1_i128 << 70).prop_map(Logged::Wide),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY)].prop_map(Logged::Float),
        any::<bool>().prop_map(Logged::Truth),
        text().prop_map(Logged::Text),
        text().prop_map(Logged::Shown),
        text().prop_map(Logged::Debugged),
        (text(), text()).prop_map(|(error, source)| Logged::Failed(error, source)),
        Just(Logged::Nothing),
    ]
}

fn case() -> impl Strategy<Value = LogCase> {
    let fields = |most| prop::collection::vec((name(), logged()), 0..=most);
    let spans = prop::collection::vec(fields(4), 1..4);
    (spans, fields(3), fields(8), text()).prop_map(|(spans, bound, event, target)| LogCase {
        spans,
        bound,
        event,
        target,
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let secrets = prop::collection::vec(name().prop_filter("a name", |name| !name.trim().is_empty()), 0..3);
    let most = prop::option::of(64_usize..200);
    (secrets, most).prop_map(|(secrets, most)| Rules { secrets, most })
}

/// Whether `text` holds the lines that `cases` make, by the words of the contract.
fn check(text: &str, cases: &[LogCase], rules: &Rules) -> Result<(), TestCaseError> {
    let lines = LogLine::read_all(text);
    prop_assert_eq!(lines.len(), cases.len());
    let mut both = cases.iter().zip(&lines);
    both.try_for_each(|(case, line)| case.compare(line, rules)).map_err(TestCaseError::fail)
}

proptest! {
    #[test]
    fn every_log_case_is_one_flat_line_in_the_documented_order(cases in prop::collection::vec(case(), 1..4)) {
        let text = memory::text(Logging::builder(), || cases.iter().for_each(LogCase::log));
        check(&text, &cases, &Rules::default())?;
    }

    #[test]
    fn no_log_case_shows_a_secret_or_a_text_above_the_limit(
        cases in prop::collection::vec(case(), 1..4),
        rules in rules(),
    ) {
        let logging = rules.apply(Logging::builder());
        let text = memory::text(logging, || cases.iter().for_each(LogCase::log));
        check(&text, &cases, &rules)?;
    }

    #[test]
    fn every_pretty_event_is_one_line(cases in prop::collection::vec(case(), 1..4)) {
        let logging = Logging::builder().format(Format::Pretty);
        let text = memory::text(logging, || cases.iter().for_each(LogCase::log));
        prop_assert_eq!(text.matches('\n').count(), cases.len());
        prop_assert!(!text.lines().any(|line| line.contains(breaks_a_line)), "{text:?}");
    }
}
