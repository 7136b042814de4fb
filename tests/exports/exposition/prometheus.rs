//! A real Prometheus reads the same samples in every format.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, metrics, track_agent};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::prometheus::{Prometheus, Series};
use crate::support::service::eventually;

#[track_agent("read_by_prometheus", fields(trace_id = "4bf92f3577b34da6"))]
fn agent() {}

#[track_agent("compared_by_prometheus")]
fn compared(fails: bool) -> Result<(), &'static str> {
    if fails { Err("on purpose") } else { Ok(()) }
}

/// A served monitor; `/text` answers in the text format for any `Accept` header.
pub(crate) fn served(monitor: &Monitor) -> (Runtime, SocketAddr) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let text = monitor.clone();
    let app = Router::new().route("/text", get(async move || text.metrics().map(axum::body::Body::from)));
    let monitor = monitor.clone();
    runtime.spawn(async move { monitor.serve(listener, app).await });
    (runtime, address)
}

/// Labels but the job, bounds as numbers, and the value.
fn comparable(series: Vec<Series>) -> BTreeMap<Vec<(String, String)>, f64> {
    let all = series.into_iter().map(|(mut labels, value)| {
        labels.remove("job");
        if let Some(bound) = labels.get_mut("le") {
            *bound = bound.parse::<f64>().unwrap().to_string();
        }
        (labels.into_iter().collect(), value)
    });
    all.collect()
}

#[test]
fn prometheus_reads_equal_series_from_openmetrics_and_text() {
    let monitor = Monitor::builder().service("read", "1.0.0").build().unwrap();
    let (_runtime, address) = served(&monitor);
    for call in 0..10 {
        let _ = compared(call % 5 == 0);
    }
    let prometheus = Prometheus::scraping(address, &["/health/metrics", "/text"], "");
    let of_agent = r#"agent_id="compared_by_prometheus""#;
    for job in ["/health/metrics", "/text"] {
        prometheus.wait_for(&format!(r#"up{{job="{job}"}}"#), 1.0);
        prometheus
            .wait_for(&format!(r#"agent_executions_total{{job="{job}",{of_agent},status="success"}}"#), 8.0);
    }
    for metrics in [format!(r#"__name__=~"agent_.*",{of_agent}"#), r#"__name__="build_info""#.to_owned()] {
        let read = |job| comparable(prometheus.query(&format!(r#"{{{metrics},job="{job}"}}"#)));
        // A scrape that took too long has no samples until the next one.
        let (open_metrics, text) = eventually("both are there", || {
            let both = (read("/health/metrics"), read("/text"));
            (!both.0.is_empty() && !both.1.is_empty()).then_some(both)
        });
        assert_eq!(open_metrics, text);
    }
    for job in ["/health/metrics", "/text"] {
        let scraped = format!(r#"scrape_samples_scraped{{job="{job}"}}"#);
        assert!(prometheus.value(&scraped) > 50.0);
        // Every sample is a series: none was left out, or lost behind another of the same labels.
        let series = format!(r#"count({{job="{job}",__name__!~"up|scrape_.+"}})"#);
        prometheus.wait_for(&format!("{scraped} - scalar({series})"), 0.0);
    }
}

#[test]
fn prometheus_learns_types_and_units_from_openmetrics() {
    let monitor = Monitor::builder().build().unwrap();
    let (_runtime, address) = served(&monitor);
    agent();
    let prometheus = Prometheus::scraping(address, &["/health/metrics"], "");
    prometheus.wait_for("up", 1.0);
    let known = |metric| {
        let answer = prometheus.get("/api/v1/targets/metadata", &[("metric", metric)]);
        let said = answer["data"][0].clone();
        (
            said["type"].as_str().unwrap_or_default().to_owned(),
            said["unit"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(known("agent_execution_duration_seconds"), ("histogram".into(), "seconds".into()));
    assert_eq!(known("agent_executions"), ("counter".into(), String::new()));
    assert_eq!(known("process_cpu_seconds"), ("counter".into(), "seconds".into()));
}

#[test]
fn prometheus_keeps_the_exemplars_of_openmetrics() {
    metrics::builder().exemplars(true).init().unwrap();
    let monitor = Monitor::builder().build().unwrap();
    let (_runtime, address) = served(&monitor);
    capture_logs(agent);
    let prometheus = Prometheus::scraping(address, &["/health/metrics"], "exemplar-storage");
    let exemplar = eventually("there is an exemplar", || {
        let query = r#"agent_execution_duration_seconds_bucket{agent_id="read_by_prometheus"}"#;
        let asked = [("query", query), ("start", "0"), ("end", "9999999999")];
        let answer = prometheus.get("/api/v1/query_exemplars", &asked);
        answer["data"][0]["exemplars"].get(0).cloned()
    });
    assert_eq!(exemplar["labels"]["trace_id"], "4bf92f3577b34da6");
}
