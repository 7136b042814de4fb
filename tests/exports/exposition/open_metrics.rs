//! The additions of OpenMetrics to the text format; both show the same samples.

use std::collections::{BTreeMap, BTreeSet};

use monitor_runtime::{Monitor, metrics, track_agent, track_query};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Counter, Gauge, Histogram, HistogramOpts};

use crate::exposition::{OPEN_METRICS, PROTOBUF, TEXT, scrape, text};
use crate::support::exposition::Exposition;

#[track_agent("of_open_metrics")]
fn agent() -> Result<(), &'static str> {
    Err("on purpose")
}

#[track_query("of_open_metrics", operation = "select")]
fn query() {}

fn monitor() -> Monitor {
    agent().unwrap_err();
    query();
    Monitor::builder().build().unwrap()
}

/// The lines `# WORD name rest`, by name.
fn metadata<'a>(scrape: &'a str, word: &str) -> BTreeMap<&'a str, &'a str> {
    let prefix = format!("# {word} ");
    scrape.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once(' ')).collect()
}

/// Names of samples.
fn samples(scrape: &str) -> BTreeSet<&str> {
    let lines = scrape.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap()).collect()
}

#[test]
fn only_the_samples_of_a_counter_end_in_total() {
    let scrape = scrape(&monitor(), OPEN_METRICS);
    let types = metadata(text(&scrape), "TYPE");
    assert_eq!(types["agent_executions"], "counter");
    assert_eq!(types["agent_execution_duration_seconds"], "histogram");
    assert_eq!(types["active_agents"], "gauge");
    assert!(samples(text(&scrape)).contains("agent_executions_total"));
    assert!(types.keys().all(|name| !name.ends_with("_total")), "{types:?}");
}

#[test]
fn every_family_whose_name_ends_in_a_unit_says_so() {
    let scrape = scrape(&monitor(), OPEN_METRICS);
    let units = metadata(text(&scrape), "UNIT");
    assert_eq!(units["agent_execution_duration_seconds"], "seconds");
    assert_eq!(units["process_cpu_seconds"], "seconds", "a counter's unit stands before `_total`");
    assert_eq!(units["process_resident_memory_bytes"], "bytes");
    for (family, unit) in &units {
        assert!(family.ends_with(&format!("_{unit}")), "{family}: {unit}");
    }
    assert!(!units.contains_key("agent_executions"));
}

#[test]
fn both_texts_have_the_same_samples_under_the_same_names() {
    let monitor = monitor();
    let open_metrics = scrape(&monitor, OPEN_METRICS);
    let plain = scrape(&monitor, TEXT);
    assert_eq!(samples(text(&open_metrics)), samples(text(&plain)));
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(lines(text(&plain)) > 50);
    assert!(samples(text(&open_metrics)).iter().all(|name| !name.ends_with("_created")));
}

#[test]
fn bounds_are_floats_for_everyone_to_see() {
    let scrape = scrape(&monitor(), OPEN_METRICS);
    let lines = text(&scrape).lines().filter(|line| line.contains(r#"query="of_open_metrics""#));
    let bounds = lines.filter_map(|line| Some(line.split_once("le=\"")?.1.split_once('"')?.0));
    let bounds: Vec<_> = bounds.collect();
    assert_eq!(bounds, ["0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1.0", "5.0", "10.0", "+Inf"]);
}

#[test]
fn the_scrape_ends_in_eof_and_has_no_other() {
    let scrape = scrape(&monitor(), OPEN_METRICS);
    assert!(text(&scrape).ends_with("\n# EOF\n"));
    assert_eq!(text(&scrape).matches("# EOF").count(), 1);
}

#[test]
fn a_users_own_metrics_are_in_every_form() {
    let registry = prometheus::Registry::new();
    let counter = Counter::new("jobs_done_total", "Jobs \"done\".").unwrap();
    let untotalled = Counter::new("jobs_failed", "Jobs failed.").unwrap();
    let gauge = Gauge::new("temperature_celsius", "Now.").unwrap();
    let options = HistogramOpts::new("job_seconds", "Time of a job.").buckets(vec![0.5, 2.0]);
    let histogram = Histogram::with_opts(options).unwrap();
    let clash = Gauge::new("jobs_seen", "Jobs seen now.").unwrap();
    let clashing = Counter::new("jobs_seen_total", "Jobs seen ever.").unwrap();
    registry.register(Box::new(counter.clone())).unwrap();
    registry.register(Box::new(untotalled.clone())).unwrap();
    registry.register(Box::new(gauge.clone())).unwrap();
    registry.register(Box::new(histogram.clone())).unwrap();
    registry.register(Box::new(clash)).unwrap();
    registry.register(Box::new(clashing)).unwrap();
    counter.inc_by(2.5);
    gauge.set(f64::NEG_INFINITY);
    histogram.observe(2.0);

    agent().unwrap_err();
    let monitor = Monitor::builder().registry(registry).build().unwrap();
    let scraped = scrape(&monitor, OPEN_METRICS);
    for expected in [
        "# TYPE jobs_done counter\n# HELP jobs_done Jobs \\\"done\\\".\njobs_done_total 2.5\n",
        "# TYPE jobs_failed unknown\n# HELP jobs_failed Jobs failed.\njobs_failed 0\n",
        "# TYPE temperature_celsius gauge\n# UNIT temperature_celsius celsius\n# HELP temperature_celsius Now.\n\
         temperature_celsius -Inf\n",
        "job_seconds_bucket{le=\"0.5\"} 0\njob_seconds_bucket{le=\"2.0\"} 1\njob_seconds_bucket{le=\"+Inf\"} 1\n\
         job_seconds_sum 2\njob_seconds_count 1\n",
        "# TYPE jobs_seen gauge\n",
        "# TYPE jobs_seen_total unknown\n",
    ] {
        assert!(text(&scraped).contains(expected), "{expected}\n{}", text(&scraped));
    }
    let message = scrape(&monitor, PROTOBUF);
    for name in
        ["jobs_done_total", "jobs_failed", "temperature_celsius", "job_seconds", "agent_executions_total"]
    {
        assert!(message.windows(name.len()).any(|bytes| bytes == name.as_bytes()), "{name}");
    }
}

/// Gives a family that cannot be written in any form.
struct Broken(Desc);

impl Collector for Broken {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut family = MetricFamily::default();
        family.set_name("broken".into());
        family.set_field_type(MetricType::UNTYPED);
        family.set_metric(vec![prometheus::proto::Metric::from_label(Vec::new())]);
        vec![family]
    }
}

#[test]
fn a_family_that_cannot_be_written_costs_the_others_nothing() {
    let registry = prometheus::Registry::new();
    let desc = Desc::new("broken".into(), "Broken.".into(), Vec::new(), std::collections::HashMap::new());
    registry.register(Box::new(Broken(desc.unwrap()))).unwrap();
    let monitor = Monitor::builder().registry(registry).build().unwrap();
    let said = monitor_runtime::testing::capture_logs(|| {
        for form in [TEXT, OPEN_METRICS, PROTOBUF] {
            let scrape = scrape(&monitor, form);
            let holds = |name: &str| scrape.windows(name.len()).any(|bytes| bytes == name.as_bytes());
            assert!(holds("build_info") && !holds("broken"), "{form}");
        }
    });
    assert_eq!(said.len(), 3, "said once a scrape: {said:?}");
    assert!(said.iter().all(|line| line["metric"] == "broken"));
}

#[test]
fn rendering_without_a_request_uses_the_text_format() {
    monitor();
    Exposition::parse(&metrics::render()).unwrap();
}

#[test]
fn our_metrics_take_prefix_and_labels_in_every_format() {
    let labels = [("zone".to_owned(), "a\"b".to_owned())].into_iter().collect();
    let registry = prometheus::Registry::new_custom(Some("shop".into()), Some(labels)).unwrap();
    let monitor = Monitor::builder().registry(registry.clone()).build().unwrap();
    Monitor::builder().registry(registry).build().expect("ours are there already, and known again");
    agent().unwrap_err();
    let scraped = scrape(&monitor, OPEN_METRICS);
    for expected in [
        "# TYPE shop_agent_executions counter\n",
        "\nshop_http_requests_in_flight{zone=\"a\\\"b\"} 0\n",
        "\nshop_agent_executions_total{zone=\"a\\\"b\",agent_id=\"of_open_metrics\",status=\"success\"} 0\n",
        "\nshop_agent_execution_duration_seconds_bucket{zone=\"a\\\"b\",agent_id=\"of_open_metrics\",status=\"error\",le=\"600.0\"} ",
    ] {
        assert!(text(&scraped).contains(expected), "{expected}\n{}", text(&scraped));
    }
    assert_eq!(samples(text(&scraped)), samples(text(&scrape(&monitor, TEXT))));
    let message = scrape(&monitor, PROTOBUF);
    let holds = |text: &str| message.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds("shop_agent_executions_total") && holds("a\"b") && !holds("monitor_is_registered_here"));
}
