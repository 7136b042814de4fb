//! The linter for users' own tests, against the one that Prometheus comes with.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use monitor_runtime::testing::{LintRule, Problem, lint};
use monitor_runtime::{metrics, track_agent};

/// The problems that `promtool check metrics` prints, one a line, and whether it could read the text.
fn promtool(text: &str) -> (bool, Vec<String>) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool (Debian package `prometheus`) is needed; `scripts/test` installs it");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let lines: Vec<_> = String::from_utf8(said.stderr).unwrap().lines().map(str::to_owned).collect();
    (!lines.iter().any(|line| line.starts_with("error while linting")), lines)
}

/// The rule that a problem of promtool's is about.
fn rule(said: &str) -> LintRule {
    let rules = [
        ("no help text", LintRule::Help),
        ("\"_total\" suffix", LintRule::TotalSuffix),
        ("use base unit", LintRule::BaseUnit),
        ("abbreviated units", LintRule::AbbreviatedUnit),
        ("\" suffix", LintRule::ReservedSuffix),
        ("\" label", LintRule::ReservedLabel),
        ("should not include type", LintRule::TypeInName),
        ("should not contain ':'", LintRule::Colon),
        ("camelCase", LintRule::CamelCase),
    ];
    let found = rules.iter().find(|(words, _)| said.contains(words));
    found.unwrap_or_else(|| panic!("promtool has a rule that nobody here knows: {said}")).1
}

/// Which metrics break which rules that promtool knows.
type Verdict = BTreeSet<(String, String)>;

fn promtools(lines: &[String]) -> Verdict {
    let problems = lines.iter().map(|line| line.split_once(' ').unwrap());
    problems.map(|(metric, said)| (metric.to_owned(), format!("{:?}", rule(said)))).collect()
}

fn ours(problems: &[Problem]) -> Verdict {
    let shared = problems.iter().filter(|problem| {
        !matches!(
            problem.rule,
            LintRule::Type
                | LintRule::DuplicateSeries
                | LintRule::Scattered
                | LintRule::CounterValue
                | LintRule::Histogram
        )
    });
    shared.map(|problem| (problem.metric.clone(), format!("{:?}", problem.rule))).collect()
}

/// A gauge of that name.
fn gauge(name: &str) -> String {
    format!("# HELP {name} Help.\n# TYPE {name} gauge\n{name} 1\n")
}

#[test]
fn good_and_bad_metrics_are_judged_as_by_promtool() {
    let names = [
        "good",
        "jobs_total",
        "latency_seconds",
        "latency_milliseconds",
        "latency_ms",
        "wait_minutes",
        "size_kilobytes",
        "size_bits",
        "depth_metres",
        "heat_kelvins",
        "heat_fahrenheit",
        "s_b_d",
        "ms",
        "queue_gauge",
        "gauge_queue",
        "my_counter_now",
        "a:b",
        "camelCase",
        "snake_case_X",
        "x_count",
        "x_sum",
        "x_bucket",
        "x_total_count",
        "count",
        "total",
        "_total",
        "nanoseconds",
        "HTTP_requests",
        "mb_used",
    ];
    let mut texts: Vec<String> = names.map(gauge).into();
    for kind in ["counter", "untyped", "summary", "histogram"] {
        texts.extend(
            ["calls", "calls_total", "calls_sum", "calls_bucket", "call_histogram_x"]
                .map(|name| format!("# HELP {name} Help.\n# TYPE {name} {kind}\n{}", of_kind(name, kind))),
        );
    }
    texts.push("# TYPE helpless gauge\nhelpless 1\n".to_owned());
    texts.push("# HELP empty\n# TYPE empty gauge\nempty 1\n".to_owned());
    texts.push("# HELP untyped_total Help.\nuntyped_total 1\n".to_owned());
    texts.push(
        "# HELP g Help.\n# TYPE g gauge\ng{le=\"1\",quantile=\"2\",camelCase=\"3\",fine=\"4\"} 1\ng{le=\"2\"} 1\n".to_owned(),
    );
    texts.push("\n# a comment\n#\n# HELP g Help.\n#TYPE g gauge\n  g   { a = \"b\" , }   1   5\n".to_owned());
    for text in texts {
        let (is_readable, said) = promtool(&text);
        assert!(is_readable, "{text}: {said:?}");
        let problems = lint(&text);
        assert_eq!(ours(&problems), promtools(&said), "{text}: {problems:?} {said:?}");
    }
}

fn of_kind(name: &str, kind: &str) -> String {
    match kind {
        "histogram" => format!("{name}_bucket{{le=\"+Inf\"}} 1\n{name}_sum 1\n{name}_count 1\n"),
        "summary" => format!("{name}{{quantile=\"0.5\"}} 1\n{name}_sum 1\n{name}_count 1\n"),
        _ => format!("{name} 1\n"),
    }
}

#[test]
fn text_that_promtool_cannot_read_is_malformed() {
    for line in [
        "a{b=\"c\" 1",
        "a{b} 1",
        "a{b=c} 1",
        "a{b=\"c\\t\"} 1",
        "a{b=\"c\",b=\"d\"} 1",
        "a{9b=\"c\"} 1",
        "a",
        "a x",
        "a 1 x",
        "a 1 2 3",
        "9a 1",
        "a-b 1",
        "{b=\"c\"} 1",
        "# HELP a A.\n# HELP a B.",
        "# TYPE a gauge\n# TYPE a gauge",
        "a 1\n# TYPE a gauge",
        "# TYPE a weird",
        "# TYPE 9 gauge",
        "a{b=\"c} 1",
        "a{b=\"c\"",
    ] {
        let text = format!("{line}\n");
        let (is_readable, said) = promtool(&text);
        assert!(!is_readable, "{text}: {said:?}");
        let problems = lint(&text);
        assert!(problems.iter().any(|problem| problem.rule == LintRule::Malformed), "{text}: {problems:?}");
    }
}

/// The rules that a text breaks, with the lines.
fn broken(text: &str) -> Vec<(usize, LintRule)> {
    lint(text).iter().map(|problem| (problem.line, problem.rule)).collect()
}

#[test]
fn faults_that_promtool_lets_pass_are_found() {
    let counter = "# HELP c_total C.\n# TYPE c_total counter\n";
    assert_eq!(broken(&format!("{counter}c_total 1\nc_total 1\n")), [(4, LintRule::DuplicateSeries)]);
    let twice = format!("{counter}c_total{{a=\"1\",b=\"2\"}} 1\nc_total{{b=\"2\",a=\"1\"}} 1\n");
    assert_eq!(broken(&twice), [(4, LintRule::DuplicateSeries)]);
    assert_eq!(broken(&format!("{counter}c_total -1\n")), [(3, LintRule::CounterValue)]);
    assert_eq!(broken(&format!("{counter}c_total NaN\n")), [(3, LintRule::CounterValue)]);
    assert_eq!(broken(&format!("{counter}c_total{{__x=\"1\"}} 1\n")), [(3, LintRule::ReservedLabel)]);
    assert_eq!(broken("# HELP g G.\ng 1\n"), [(1, LintRule::Type)]);
    let scattered = format!("{counter}c_total{{a=\"1\"}} 1\n{}c_total{{a=\"2\"}} 1\n", gauge("g"));
    assert_eq!(broken(&scattered), [(7, LintRule::Scattered)]);
}

#[test]
fn a_histogram_that_contradicts_itself_is_found() {
    let of = |samples: &str| broken(&format!("# HELP h H.\n# TYPE h histogram\n{samples}"));
    let rest = "h_sum 1\nh_count 2\n";
    assert_eq!(of(&format!("h_bucket{{le=\"1\"}} 1\nh_bucket{{le=\"+Inf\"}} 2\n{rest}")), []);
    for samples in [
        rest.to_owned(),
        format!("h_bucket 2\n{rest}"),
        format!("h_bucket{{le=\"wide\"}} 2\n{rest}"),
        format!("h_bucket{{le=\"1\"}} 2\n{rest}"),
        format!("h_bucket{{le=\"1\"}} 3\nh_bucket{{le=\"+Inf\"}} 2\n{rest}"),
        format!("h_bucket{{le=\"2\"}} 1\nh_bucket{{le=\"1\"}} 2\nh_bucket{{le=\"+Inf\"}} 2\n{rest}"),
        format!("h_bucket{{le=\"+Inf\"}} 1\n{rest}"),
        "h_bucket{le=\"+Inf\"} 1\nh_sum 1\n".to_owned(),
        "h_bucket{le=\"+Inf\"} 1\nh_count 1\n".to_owned(),
    ] {
        let found = of(&samples);
        assert!(
            found.iter().all(|(_, rule)| *rule == LintRule::Histogram) && !found.is_empty(),
            "{samples}: {found:?}"
        );
    }
}

#[track_agent("linted")]
fn agent() {}

#[test]
fn our_own_scrape_has_no_problem() {
    agent();
    assert_eq!(lint(&metrics::render()), []);
}

#[test]
fn a_problem_says_where_what_and_the_way_out() {
    let problems = lint("# HELP wait_ms Time.\n# TYPE wait_ms gauge\nwait_ms 1\n");
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["line 1: wait_ms: `ms` is an abbreviated unit; expected one that is written out"]);
}
