//! Native histograms, as a real Prometheus reads them. They are the process's from its first series on, so this is one of its own.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use monitor_runtime::metrics::{self, NativeHistograms};
use monitor_runtime::{Monitor, testing, track_agent, track_skill};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::exposition::Exposition;
use crate::support::prometheus::Prometheus;
use crate::support::service::eventually;
use crate::support::subprocess::in_own_process;

/// Built before the first call.
static MONITOR: LazyLock<Monitor> = LazyLock::new(|| {
    metrics::builder().exemplars(true).native_histograms(NativeHistograms::new()).init().unwrap();
    Monitor::builder().build().unwrap()
});

#[track_agent("native")]
fn agent(takes: Duration) -> Result<(), &'static str> {
    std::thread::sleep(takes);
    if takes.is_zero() { Err("on purpose") } else { Ok(()) }
}

#[track_skill]
fn slow() {
    std::thread::sleep(Duration::from_millis(30));
}

#[track_skill("steady")]
fn steady() {
    std::thread::sleep(Duration::from_millis(30));
}

/// The monitor, served, and a Prometheus that scrapes it.
fn scraped(features: &str) -> (Runtime, Prometheus) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { MONITOR.serve(listener, Router::new().route("/", get(async || ""))).await });
    (runtime, Prometheus::scraping(address, &["/health/metrics"], features))
}

#[test]
fn prometheus_counts_equally_by_native_and_ordinary_buckets() {
    in_own_process(|| {
        LazyLock::force(&MONITOR);
        for millis in [1, 2, 5, 10, 20, 40, 80, 160, 300, 600, 1_100] {
            agent(Duration::from_millis(millis)).unwrap();
        }
        for _ in 0..25 {
            agent(Duration::ZERO).unwrap_err();
        }
        let (_serving, native) = scraped("native-histograms");
        let (_serving, ordinary) = scraped("");
        for (status, calls) in [("success", 11.0), ("error", 25.0)] {
            let labels = format!(r#"agent_id="native",status="{status}""#);
            let histogram = format!("agent_execution_duration_seconds{{{labels}}}");
            native.wait_for(&format!("histogram_count({histogram})"), calls);
            ordinary.wait_for(&format!("agent_execution_duration_seconds_count{{{labels}}}"), calls);
            // These bounds are powers of two, which both kinds of buckets have. From below zero on, since Prometheus takes half of
            // what lies in the zero bucket for negative.
            for bound in ["0.25", "0.5", "1.0"] {
                let fraction =
                    format!("histogram_fraction(-1, {bound}, {histogram}) * histogram_count({histogram})");
                let below = format!(r#"agent_execution_duration_seconds_bucket{{{labels},le="{bound}"}}"#);
                let (fraction, below) = (native.value(&fraction), ordinary.value(&below));
                assert!((fraction - below).abs() < 1e-6, "{status} {bound}: {fraction} {below}");
            }
            let sum = native.value(&format!("histogram_sum({histogram})"));
            let sum_by_ordinary =
                ordinary.value(&format!("agent_execution_duration_seconds_sum{{{labels}}}"));
            assert_eq!(sum, sum_by_ordinary);
        }
        let totals = r#"agent_executions_total{agent_id="native"}"#;
        // Metrics other than histograms are read from protobuf too.
        native.wait_for(&format!("count({totals})"), 4.0);
        native.wait_for(&format!("sum({totals})"), 36.0);
    });
}

#[test]
fn quantiles_of_native_buckets_err_by_less_than_their_growth() {
    in_own_process(|| {
        LazyLock::force(&MONITOR);
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let start = Instant::now();
            steady();
            longest = longest.max(start.elapsed());
        }
        let (_serving, native) = scraped("native-histograms");
        let (_serving, ordinary) = scraped("");
        let labels = r#"skill_id="steady",status="success""#;
        let histogram = format!("skill_execution_duration_seconds{{{labels}}}");
        native.wait_for(&format!("histogram_count({histogram})"), 20.0);
        for quantile in ["0.05", "0.5", "0.95"] {
            let read = native.value(&format!("histogram_quantile({quantile}, {histogram})"));
            assert!(
                (0.03 / 1.0906..longest.as_secs_f64() * 1.0906).contains(&read),
                "{quantile}: {read} {longest:?}"
            );
        }
        let buckets = format!("skill_execution_duration_seconds_bucket{{{labels}}}");
        ordinary.wait_for(&format!("max({buckets})"), 20.0);
        let read = ordinary.value(&format!("histogram_quantile(0.5, {buckets})"));
        assert!(read > 0.025, "ordinary buckets give quantiles still: {read}");
    });
}

#[track_agent("named", fields(trace_id = "00f067aa0ba902b7"))]
fn named() {}

#[test]
fn prometheus_keeps_the_exemplars_of_protobuf() {
    in_own_process(|| {
        LazyLock::force(&MONITOR);
        testing::capture_logs(named);
        let (_serving, native) = scraped("native-histograms,exemplar-storage");
        let exemplar = eventually("there is an exemplar", || {
            let query = r#"agent_execution_duration_seconds{agent_id="named"}"#;
            let asked = [("query", query), ("start", "0"), ("end", "9999999999")];
            let answer = native.get("/api/v1/query_exemplars", &asked);
            answer["data"][0]["exemplars"].get(0).cloned()
        });
        assert_eq!(exemplar["labels"]["trace_id"], "00f067aa0ba902b7");
    });
}

#[test]
fn the_text_format_has_the_ordinary_buckets_and_is_consistent() {
    in_own_process(|| {
        LazyLock::force(&MONITOR);
        slow();
        // Strict: buckets ascend, and the last is the count.
        let scrape = Exposition::parse(&metrics::render()).unwrap();
        let labels = [("skill_id", "slow"), ("status", "success")];
        let total = scrape.value("skill_executions_total", &labels);
        assert!(total.is_some_and(|calls| calls >= 1.0));
        assert_eq!(scrape.value("skill_execution_duration_seconds_count", &labels), total);
        let below = [("skill_id", "slow"), ("status", "success"), ("le", "0.025")];
        assert_eq!(scrape.value("skill_execution_duration_seconds_bucket", &below), Some(0.0));
    });
}
