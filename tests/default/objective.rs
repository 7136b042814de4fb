//! `objective(…)`: what is promised of an agent or a skill, beside what came of it.

use std::time::Duration;

use monitor_runtime::testing::{Recording, capture_logs};
use monitor_runtime::{metrics, track_agent, track_skill};

use crate::support::exposition::{Exposition, Sample};

#[track_agent("hasty", objective(success = 99.5, latency = "2s@95"))]
fn hasty() {}

/// The value of one series in a scrape.
fn scraped(series: &str) -> Option<f64> {
    let family = series.split('{').next().unwrap();
    Exposition::read_family(&metrics::render(), family).at(series)
}

#[test]
fn an_objective_is_shown_as_labels_and_as_numbers() {
    hasty();
    let info = r#"agent_objective_info{agent_id="hasty",success="99.5",latency="2s@95"}"#;
    assert_eq!(scraped(info), Some(1.0));
    let of_hasty = |metric: &str| scraped(&format!("{metric}{{agent_id=\"hasty\"}}"));
    assert_eq!(of_hasty("agent_objective_success_ratio"), Some(0.995));
    assert_eq!(of_hasty("agent_objective_latency_seconds"), Some(2.0));
    assert_eq!(of_hasty("agent_objective_latency_ratio"), Some(0.95));
}

/// Nothing is as quick as this.
#[track_agent("late", objective(latency = "0.000001ms@95"))]
fn late(succeeds: bool) -> Result<(), &'static str> {
    // The clock's resolution may be coarser than the limit.
    std::thread::sleep(Duration::from_micros(50));
    if succeeds { Ok(()) } else { Err("asked to fail") }
}

#[test]
fn only_late_calls_that_succeed_are_counted_as_slow() {
    let recording = Recording::start();
    for succeeds in [true, false, true] {
        let _ = late(succeeds);
    }
    assert_eq!(recording.value("agent_objective_slow_total", &[("agent_id", "late")]), 2.0);
}

#[track_skill("patient", objective(latency = "1.5m@99"))]
async fn patient() {
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn calls_within_the_limit_are_not_slow() {
    let recording = Recording::start();
    patient().await;
    assert_eq!(
        recording.value("skill_executions_total", &[("skill_id", "patient"), ("status", "success")]),
        1.0
    );
    assert_eq!(scraped(r#"skill_objective_slow_total{skill_id="patient"}"#), Some(0.0));
    assert_eq!(scraped(r#"skill_objective_latency_seconds{skill_id="patient"}"#), Some(90.0));
    assert_eq!(scraped(r#"skill_objective_success_ratio{skill_id="patient"}"#), None);
    let info = r#"skill_objective_info{skill_id="patient",success="",latency="1.5m@99"}"#;
    assert_eq!(scraped(info), Some(1.0));
}

#[track_agent("without_objective")]
fn without_objective() {}

/// The bounds and counts of an agent's histogram.
fn buckets(agent: &str) -> Vec<(String, f64)> {
    let scrape = Exposition::read_family(&metrics::render(), "agent_execution_duration_seconds");
    let is_of_agent = |sample: &&Sample| {
        sample.label("agent_id") == Some(agent) && sample.label("status") == Some("success")
    };
    let buckets = scrape.samples("agent_execution_duration_seconds_bucket").filter(is_of_agent);
    buckets.map(|bucket| (bucket.label("le").unwrap().to_owned(), bucket.value)).collect()
}

#[track_agent("between_bounds", objective(latency = "2s@95"))]
fn between_bounds() {}

#[track_agent("on_a_bound", objective(latency = "5s@95"))]
fn on_a_bound() {}

#[test]
fn the_limit_of_an_objective_is_no_bucket_of_the_histogram() {
    between_bounds();
    on_a_bound();
    without_objective();
    let bounds = |agent| buckets(agent).into_iter().map(|(bound, _)| bound).collect::<Vec<_>>();
    assert_eq!(bounds("between_bounds"), bounds("without_objective"));
    assert_eq!(bounds("on_a_bound"), bounds("without_objective"));
    for agent in ["between_bounds", "on_a_bound"] {
        let counts: Vec<_> = buckets(agent).into_iter().map(|(_, count)| count).collect();
        assert!(counts.is_sorted() && counts.last() == Some(&1.0), "{agent}: {counts:?}");
        let slow = format!("agent_objective_slow_total{{agent_id=\"{agent}\"}}");
        assert_eq!(scraped(&slow), Some(0.0));
    }
}

#[test]
fn a_function_without_an_objective_has_no_series_of_one() {
    without_objective();
    let text = metrics::render();
    let lines = text.lines().filter(|line| line.contains("_objective_"));
    assert!(!lines.clone().any(|line| line.contains("without_objective")), "{text}");
}

#[track_agent(id = id, objective(success = 90))]
fn named_by_its_caller(id: &str) {}

struct Agents;

#[track_agent(objective(success = 99.9))]
impl Agents {
    fn plan() {}

    #[track("checked", objective(success = 99.99))]
    fn check() {}
}

#[test]
fn every_id_and_every_method_of_a_block_has_its_objective() {
    named_by_its_caller("first");
    named_by_its_caller("second");
    Agents::plan();
    Agents::check();
    for (agent, ratio) in [("first", 0.9), ("second", 0.9), ("Agents::plan", 0.999), ("checked", 0.9999)] {
        let success = format!("agent_objective_success_ratio{{agent_id=\"{agent}\"}}");
        assert_eq!(scraped(&success), Some(ratio), "{agent}");
    }
}

#[track_agent("shared_objective", objective(success = 99))]
fn called_first() {}

#[track_agent("shared_objective", objective(success = 98))]
fn called_second() {}

#[test]
fn the_second_objective_of_an_id_is_ignored_with_a_warning() {
    called_first();
    let lines = capture_logs(called_second);
    assert_eq!(scraped(r#"agent_objective_success_ratio{agent_id="shared_objective"}"#), Some(0.99));
    let warnings: Vec<_> = lines.iter().filter(|line| line["id"] == "shared_objective").collect();
    assert_eq!(warnings.len(), 1, "{lines:?}");
    assert_eq!(warnings[0]["level"], "warn");
}

#[test]
fn a_registry_gathers_what_the_text_shows() {
    hasty();
    let families = metrics::registry().gather();
    let success = families.iter().find(|family| family.name() == "agent_objective_success_ratio").unwrap();
    let hasty = success.get_metric().iter().find(|metric| metric.get_label()[0].value() == "hasty").unwrap();
    assert_eq!(hasty.get_gauge().get_value(), 0.995);
}
