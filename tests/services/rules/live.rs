//! Every rule and every panel against the example service under traffic, scraped by a real Prometheus.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use monitor_runtime::genai::{self, Usage};
use monitor_runtime::{Monitor, track_agent};

use crate::rules::alerting::{ALERTS, RECORDING, rules};
use crate::rules::dashboards::queries;
use crate::rules::expression::{names, with_comparisons_as_values};
use crate::rules::files::string;
use crate::rules::prometheus::watching;
use crate::support::prometheus::Prometheus;
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

/// Whether a query is of model calls.
fn is_of_models(query: &str) -> bool {
    names(query).any(|name| name.contains("model_"))
}

/// Waits until every question gets data. Of an alert, everything it compares has to be there and to fit together; whether it
/// fires is another matter.
fn await_data(mut open: BTreeMap<String, String>, prometheus: &Prometheus) {
    let mut said = BTreeMap::new();
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

#[test]
fn every_rule_and_panel_gets_data_from_example_traffic() {
    let notes = notes();
    let service = Service::start(command().arg("--docs").arg(notes.path()).args(["--traffic", "50"]));
    let prometheus = watching(service.address);
    let mut open = questions();
    open.retain(|_, query| !is_of_models(query));
    assert!(open.len() > 100, "the rules and panels are not read any more: {}", open.len());
    await_data(open, &prometheus);
}

/// A model call with everything that a reply can report, and one of every kind that lacks a part.
#[track_agent("live_spender")]
fn call_models() {
    let call = || genai::call("live", "model");
    let mut complete = call();
    complete.first_chunk();
    complete.retry("429", Duration::ZERO);
    complete.usage(Usage::new(812, 96).cached(640).cost_usd(0.001));
    complete.finish("stop");
    let mut unpriced = call();
    unpriced.usage(Usage::new(812, 96));
    unpriced.finish("stop");
    call().finish("stop");
    call().fail(&"overloaded");
    drop(call());
}

/// The example service has no model that reports tokens, so this process is the one that is scraped.
#[test]
fn every_rule_and_panel_of_models_gets_data_from_model_calls() {
    let monitor = Monitor::builder().admin_port(0).build().unwrap();
    let prometheus = watching(monitor.admin_address().unwrap());
    let mut open = questions();
    open.retain(|_, query| is_of_models(query));
    assert!(open.len() > 20, "the rules and panels of models are not read any more: {}", open.len());
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                call_models();
                thread::sleep(Duration::from_millis(50));
            }
        });
        let _stop = OnDrop(|| is_done.store(true, Ordering::Relaxed));
        await_data(open, &prometheus);
    });
}

/// Runs the closure when it is dropped, so that a failed test ends its thread too.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Else the tests above would take an expression that gives nothing for one that waits for data.
#[test]
fn a_query_of_what_is_not_there_gives_nothing() {
    let notes = notes();
    let service = Service::on(&notes);
    let prometheus = watching(service.address);
    eventually("it scrapes", || (!prometheus.query("up == 1").is_empty()).then_some(()));
    assert!(prometheus.query("agent_executions_in_all").is_empty());
    assert!(prometheus.try_query("sum(").is_err());
}
