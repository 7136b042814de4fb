//! The registry that users share with us, and the text that leaves it.

use monitor_runtime::{Monitor, metrics, track_agent, track_skill};
use prometheus::{Encoder as _, IntCounter, Registry, TextEncoder};
use proptest::prelude::*;

use crate::support::exposition::{Exposition, Labels, Sample};
use crate::support::subprocess::in_own_process;

#[track_agent(id = id)]
fn agent(id: &str) {}

#[track_skill("registry_skill")]
fn skill() {}

#[test]
fn a_users_own_metric_is_sorted_into_the_same_scrape() {
    let own = IntCounter::new("documents_indexed_total", "Documents indexed.").unwrap();
    metrics::registry().register(Box::new(own.clone())).unwrap();
    own.inc_by(3);
    agent("beside_a_users_own");

    let text = metrics::render();
    let scrape = Exposition::parse(&text).unwrap();
    assert_eq!(scrape.value("documents_indexed_total", &[]), Some(3.0));
    let names: Vec<_> = scrape.families().iter().map(|family| family.name.clone()).collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(names.iter().any(|name| name == "process_resident_memory_bytes"));
}

#[track_agent("without_exemplars", fields(trace_id = "4bf92f3577b34da6"))]
fn without_exemplars() {}

#[test]
fn nothing_shows_exemplars_that_nobody_asked_for() {
    monitor_runtime::testing::capture_logs(without_exemplars);
    let asked =
        [(http::header::ACCEPT, "application/openmetrics-text".parse().unwrap())].into_iter().collect();
    let response = Monitor::builder().build().unwrap().scrape(&asked);
    let scrape = std::str::from_utf8(response.body()).unwrap();
    assert!(scrape.contains(r#"agent_id="without_exemplars",status="success",le="#), "{scrape}");
    assert!(!scrape.contains("4bf92f3577b34da6"), "{scrape}");
}

/// Every sample without its place in the text.
fn values(samples: &[Sample]) -> Vec<(String, Labels, f64)> {
    samples.iter().map(|sample| (sample.name.clone(), sample.labels.clone(), sample.value)).collect()
}

#[test]
fn gathering_the_registry_gives_what_rendering_gives() {
    in_own_process(|| {
        agent("gathered");
        skill();
        let mut gathered = Vec::new();
        TextEncoder::new().encode(&metrics::registry().gather(), &mut gathered).unwrap();
        let gathered = Exposition::parse(std::str::from_utf8(&gathered).unwrap()).unwrap();
        let rendered = Exposition::parse(&metrics::render()).unwrap();
        // Metrics that change by themselves are left out.
        for name in ["skill_executions_total", "skill_execution_duration_seconds", "log_events_total"] {
            let family = |scrape: &Exposition| {
                scrape.family(name).map(|family| (family.help.clone(), family.kind, values(&family.samples)))
            };
            assert_eq!(family(&gathered), family(&rendered), "{name}");
        }
        let ours = |scrape: &Exposition| {
            let series = scrape.samples("agent_execution_duration_seconds_bucket");
            series.filter(|sample| sample.label("agent_id") == Some("gathered")).count()
        };
        assert_eq!(ours(&gathered), ours(&rendered));
        let labels = [("agent_id", "gathered"), ("status", "success")];
        assert_eq!(
            gathered.value("agent_executions_total", &labels),
            rendered.value("agent_executions_total", &labels)
        );
    });
}

#[tokio::test]
async fn our_metrics_take_the_prefix_and_labels_of_a_users_registry() {
    let labels = [("zone".to_owned(), "a".to_owned())].into();
    let theirs = Registry::new_custom(Some("shop".to_owned()), Some(labels)).unwrap();
    let own = IntCounter::new("orders_total", "Orders.").unwrap();
    theirs.register(Box::new(own)).unwrap();
    agent("in_their_registry");

    for _ in 0..2 {
        let monitor = Monitor::builder().registry(theirs.clone()).build().unwrap();
        let scrape = Exposition::parse(std::str::from_utf8(monitor.metrics().body()).unwrap()).unwrap();
        assert_eq!(scrape.value("shop_orders_total", &[("zone", "a")]), Some(0.0));
        let labels = [("agent_id", "in_their_registry"), ("status", "success"), ("zone", "a")];
        assert_eq!(scrape.value("shop_agent_executions_total", &labels), Some(1.0));
    }
}

#[tokio::test]
async fn a_taken_name_is_refused_and_the_registry_stays_unchanged() {
    let theirs = Registry::new();
    let taken = IntCounter::new("log_events_dropped_total", "Theirs.").unwrap();
    theirs.register(Box::new(taken)).unwrap();
    let error = Monitor::builder().registry(theirs.clone()).build().unwrap_err().to_string();
    assert!(error.contains("log_events_dropped_total"), "{error}");
    let names: Vec<_> = theirs.gather().iter().map(|family| family.name().to_owned()).collect();
    assert_eq!(names, ["log_events_dropped_total"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_label_value_is_read_back_as_it_was(id in "\\PC{1,20}|[\\\\\"\n\r\t a]{1,12}") {
        agent(&id);
        let scrape = Exposition::parse(&metrics::render()).unwrap();
        let found = scrape.value("agent_executions_total", &[("agent_id", &id), ("status", "success")]);
        prop_assert!(found.is_some_and(|calls| calls >= 1.0));
    }
}
