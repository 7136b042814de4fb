//! Every rule and every panel against the example service under traffic, scraped by a real Prometheus.

use std::collections::BTreeMap;

use crate::rules::alerting::{ALERTS, RECORDING, rules};
use crate::rules::dashboards::queries;
use crate::rules::expression::with_comparisons_as_values;
use crate::rules::files::string;
use crate::rules::prometheus::watching;
use crate::support::service::{Service, command, eventually, notes};

/// Every query, by the rule or panel that makes it.
fn questions() -> BTreeMap<String, String> {
    let alerts = rules(ALERTS).into_iter().map(|rule| {
        (format!("alert {}", string(&rule, "alert")), with_comparisons_as_values(string(&rule, "expr")))
    });
    let records = rules(RECORDING).into_iter().flat_map(|rule| {
        let (record, kind) = (string(&rule, "record").to_owned(), rule["labels"].to_string());
        [
            (format!("rule {record} {kind}"), string(&rule, "expr").to_owned()),
            (format!("record {record}"), record),
        ]
    });
    alerts.chain(records).chain(queries()).collect()
}

/// Of an alert, everything it compares has to be there and to fit together; whether it fires is another matter.
#[test]
fn every_rule_and_panel_gets_data_from_example_traffic() {
    let notes = notes();
    let service = Service::start(command().arg("--docs").arg(notes.path()).args(["--traffic", "50"]));
    let prometheus = watching(service.address);
    let mut open = questions();
    let mut said = BTreeMap::new();
    let asked = open.len();
    assert!(asked > 100, "the rules and panels are not read any more: {asked}");
    while !open.is_empty() {
        let before = open.len();
        eventually(&format!("data for one of {open:#?}\n{said:#?}\n{}", prometheus.log()), || {
            open.retain(|name, query| match prometheus.try_query(query) {
                Ok(result) => result.is_empty(),
                Err(why) => {
                    said.insert(name.clone(), why);
                    true
                }
            });
            (open.len() < before).then_some(())
        });
    }
}

/// Else the test above would take an expression that gives nothing for one that waits for data.
#[test]
fn a_query_of_what_is_not_there_gives_nothing() {
    let notes = notes();
    let service = Service::on(&notes);
    let prometheus = watching(service.address);
    eventually("it scrapes", || (!prometheus.query("up == 1").is_empty()).then_some(()));
    assert!(prometheus.query("agent_executions_in_all").is_empty());
    assert!(prometheus.try_query("sum(").is_err());
}
