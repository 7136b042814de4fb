//! The rules by themselves: promtool accepts them, and each has its tests and its entry in the runbook.

use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::rules::files::{files, folder, list, string, text, yaml};

pub(crate) const RECORDING: &str = "prometheus/recording.yml";
pub(crate) const ALERTS: &str = "prometheus/alerts.yml";

/// Every rule of a file.
pub(crate) fn rules(path: &str) -> Vec<Value> {
    let file = yaml(path);
    list(&file, "groups").iter().flat_map(|group| list(group, "rules")).cloned().collect()
}

fn promtool(arguments: &[&str]) {
    let mut command = Command::new("promtool");
    let said = command.args(arguments).current_dir(folder("prometheus")).output();
    let said = said.expect("promtool (Debian package `prometheus`) is needed; `scripts/test` installs it");
    let text = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&text));
}

#[test]
fn promtool_accepts_the_rules() {
    promtool(&["check", "rules", "recording.yml", "alerts.yml"]);
}

#[test]
fn promtool_finds_every_rule_to_do_what_its_tests_say() {
    let files = files("prometheus/tests", "yml");
    let tests: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
    thread::scope(|scope| {
        let half = tests.len().div_ceil(2);
        for tests in tests.chunks(half) {
            scope.spawn(move || promtool(&[&["test", "rules"], tests].concat()));
        }
    });
}

/// The groups of tests of every file.
fn tests() -> Vec<Value> {
    let files = files("prometheus/tests", "yml");
    let names =
        files.iter().map(|file| format!("prometheus/tests/{}", file.file_name().unwrap().to_str().unwrap()));
    names.flat_map(|name| list(&yaml(&name), "tests").to_vec()).collect()
}

/// Of one group of tests, how many alerts are expected at each time.
fn expected(tests: &[Value], name: &str, alert: &str) -> Vec<usize> {
    let named: Vec<_> = tests.iter().filter(|group| group["name"] == name).collect();
    let [group] = *named else { panic!("one group of tests is called `{name}`, not {}", named.len()) };
    let evaluations = list(group, "alert_rule_test");
    assert!(evaluations.iter().all(|evaluation| evaluation["alertname"] == alert), "{name} is of {alert}");
    evaluations.iter().map(|evaluation| list(evaluation, "exp_alerts").len()).collect()
}

#[test]
fn every_alert_is_tested_firing_silent_resolved_and_absent() {
    let tests = tests();
    for rule in rules(ALERTS) {
        let alert = string(&rule, "alert");
        let of = |case: &str| expected(&tests, &format!("{alert} {case}"), alert);
        assert!(matches!(*of("fires"), [alerts] if alerts > 0), "{alert}");
        assert_eq!(of("does not fire"), [0], "{alert}");
        assert!(matches!(*of("resolves"), [alerts, 0] if alerts > 0), "{alert}");
        assert_eq!(of("does without the series"), [0], "{alert}");
    }
}

#[test]
fn every_recording_rule_is_tested_with_and_without_series() {
    let tests = tests();
    let groups = tests.iter().filter_map(|group| group["promql_expr_test"].as_array());
    let evaluations: Vec<_> = groups.flatten().collect();
    for rule in rules(RECORDING) {
        let record = string(&rule, "record");
        let of_record = evaluations.iter().filter(|evaluation| {
            crate::rules::expression::names(string(evaluation, "expr")).any(|name| name == record)
        });
        let counts: Vec<_> = of_record.map(|evaluation| list(evaluation, "exp_samples").len()).collect();
        assert!(counts.contains(&0) && counts.iter().any(|count| *count > 0), "{record}: {counts:?}");
    }
}

#[test]
fn every_alert_has_a_severity_a_description_and_a_runbook() {
    let page = text("monitoring_setup.md");
    for rule in rules(ALERTS) {
        let alert = string(&rule, "alert");
        assert!(["critical", "warning"].contains(&string(&rule["labels"], "severity")), "{alert}");
        for part in ["summary", "description"] {
            assert!(!string(&rule["annotations"], part).is_empty(), "{alert}");
        }
        let runbook = format!("docs/monitoring_setup.md#{}", alert.to_lowercase());
        assert_eq!(string(&rule["annotations"], "runbook_url"), runbook);
        assert!(page.lines().any(|line| line == format!("### {alert}")), "the runbook has no entry {alert}");
    }
}

#[test]
fn the_runbook_has_no_entry_without_an_alert() {
    let page = text("monitoring_setup.md");
    let runbook = page.split_once("\n## Runbook\n").expect("a runbook").1;
    let entries: Vec<_> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts = rules(ALERTS);
    assert_eq!(entries, alerts.iter().map(|rule| string(rule, "alert")).collect::<Vec<_>>());
}

/// The rows of the table of thresholds: alert, what it means, how long, severity.
#[test]
fn the_table_lists_every_alert_with_its_time_and_severity() {
    let page = text("monitoring_setup.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| alert |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        format!("{} {} {}", cells[1], cells[3].replace(' ', "").replace("min", "m"), cells[4])
    });
    let alerts = rules(ALERTS).into_iter().map(|rule| {
        let severity = string(&rule["labels"], "severity");
        format!("{} {} {severity}", string(&rule, "alert"), string(&rule, "for"))
    });
    assert_eq!(rows.collect::<Vec<_>>(), alerts.collect::<Vec<_>>());
}

#[test]
fn quantiles_are_of_rates_summed_by_bucket() {
    for rule in [rules(RECORDING), rules(ALERTS)].concat() {
        let expression = string(&rule, "expr").split_whitespace().collect::<String>();
        for quantile in expression.split("histogram_quantile(").skip(1) {
            let (_, inside) = quantile.split_once(',').unwrap();
            assert!(inside.starts_with("sumby(le,") && inside.contains(")(rate("), "{expression}");
        }
    }
}

#[test]
fn objectives_are_recorded_alike_for_every_window() {
    let rules = rules(RECORDING);
    for quantity in ["burn", "missed"] {
        let prefix = format!("objective:{quantity}:rate");
        let of = |window: &str| {
            let record = format!("{prefix}{window}");
            let rules = rules.iter().filter(|rule| rule["record"] == record);
            rules
                .map(|rule| string(rule, "expr").replace(&format!("[{window}]"), "[window]"))
                .collect::<Vec<_>>()
        };
        let windows: &[_] =
            if quantity == "burn" { &["5m", "30m", "2h", "6h", "1d", "3d"] } else { &["6h", "1d", "3d"] };
        assert_eq!(of("1h").len(), 4, "two kinds of call and two objectives");
        for window in windows {
            assert_eq!(of(window), of("1h"), "{quantity} {window}");
        }
    }
}
