//! Registries that users bring along: what they add to our metrics, and collectors that panic.

use axum::body::Body;
use http::{Request, StatusCode};
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, metrics, track_agent};
use prometheus::{IntCounter, Registry};

use crate::exposition::{OPEN_METRICS, PROTOBUF, TEXT, answer, scrape, text};
use crate::support::theirs::Panics;

#[track_agent("beside_a_panic")]
fn agent() {}

fn with_label(label: &str) -> Registry {
    Registry::new_custom(None, Some([(label.to_owned(), "theirs".to_owned())].into())).unwrap()
}

/// The error of `build` for a registry, which stays unchanged.
#[track_caller]
fn refused(registry: &Registry) -> String {
    let error = Monitor::builder().registry(registry.clone()).build().unwrap_err();
    assert!(registry.gather().is_empty(), "something is left");
    error.to_string()
}

#[test]
fn a_registrys_label_that_one_of_our_metrics_has_is_refused() {
    for (label, metric) in [
        ("service", "build_info"),
        ("version", "build_info"),
        ("status", "agent_executions_total"),
        ("agent_id", "agent_executions_total"),
        ("skill_id", "skill_executions_total"),
        ("operation", "db_queries_total"),
        ("query", "db_queries_total"),
        ("pool", "db_connections_active"),
        ("method", "http_requests_total"),
        ("endpoint", "http_requests_total"),
        ("check", "health_check_status"),
        ("outcome", "health_check_runs_total"),
        ("to", "health_check_transitions_total"),
        ("path", "disk_free_bytes"),
        ("level", "log_events_total"),
        ("metric", "monitor_series_overflow_total"),
        ("signal", "otlp_exports_total"),
        ("success", "agent_objective_info"),
        ("latency", "agent_objective_info"),
        ("le", "agent_execution_duration_seconds"),
    ] {
        assert_eq!(
            refused(&with_label(label)),
            format!(
                "the given registry puts the label `{label}` on every metric, and `{metric}` has a label of that name; \
                 expected another name for the registry's label, such as `app_{label}`"
            )
        );
    }
}

#[test]
fn a_registrys_label_or_prefix_that_no_scraper_reads_is_refused() {
    for label in ["http.route", "", "9", "__name__", "__x", "a:b", "ä"] {
        let said = refused(&with_label(label));
        assert!(
            said.starts_with(&format!("the given registry puts the label {label:?} on every metric")),
            "{said}"
        );
    }
    for prefix in ["my-shop", "9", "http.server", "ä b"] {
        let said = refused(&Registry::new_custom(Some(prefix.to_owned()), None).unwrap());
        assert!(
            said.starts_with(&format!("the given registry puts the prefix {prefix:?} on every metric")),
            "{said}"
        );
    }
}

#[test]
fn a_registrys_label_of_another_name_is_taken() {
    let registry = with_label("app_service");
    let monitor = Monitor::builder().registry(registry.clone()).build().unwrap();
    Monitor::builder().registry(registry).build().expect("ours are there already, and known again");
    agent();
    let scrape = scrape(&monitor, TEXT);
    let expected =
        "\nagent_executions_total{agent_id=\"beside_a_panic\",status=\"success\",app_service=\"theirs\"} ";
    assert!(text(&scrape).contains(expected), "{}", text(&scrape));
}

#[test]
fn build_refuses_a_registry_with_a_collector_that_panics() {
    let registry = Registry::new();
    registry.register(Panics::boxed()).unwrap();
    let error = Monitor::builder().registry(registry.clone()).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a collector of the given registry panicked (the collector broke); expected collectors that gather without a panic: fix the collector, or remove it from the registry"
    );
    registry.unregister(Panics::boxed()).unwrap();
    assert!(registry.gather().is_empty(), "nothing of ours is left");
}

#[test]
fn our_metrics_are_shown_beside_a_collector_that_panics() {
    let registry = Registry::new_custom(Some("shop".to_owned()), None).unwrap();
    let monitor = Monitor::builder().registry(registry.clone()).build().unwrap();
    registry.register(Panics::boxed()).unwrap();
    agent();
    let said = capture_logs(|| {
        for form in [TEXT, OPEN_METRICS, PROTOBUF] {
            let scrape = scrape(&monitor, form);
            for ours in ["beside_a_panic", "shop_build_info", "shop_log_events", "shop_process_open_fds"] {
                assert!(scrape.windows(ours.len()).any(|bytes| bytes == ours.as_bytes()), "{form}: {ours}");
            }
        }
    });
    assert_eq!(said.len(), 3, "said once a scrape: {said:?}");
    assert!(
        said.iter().all(|line| line["level"] == "warn" && line["panic"] == "the collector broke"),
        "{said:?}"
    );
    registry.unregister(Panics::boxed()).unwrap();
    let own = IntCounter::new("orders_total", "Orders.").unwrap();
    registry.register(Box::new(own)).unwrap();
    assert!(text(&scrape(&monitor, TEXT)).contains("\nshop_orders_total 0\n"));
}

#[tokio::test]
async fn the_route_answers_though_a_collector_panics() {
    let registry = Registry::new();
    let monitor = Monitor::builder().registry(registry.clone()).build().unwrap();
    registry.register(Panics::boxed()).unwrap();
    agent();
    for _ in 0..2 {
        let request = Request::get("/health/metrics").body(Body::empty()).unwrap();
        let response = answer(&monitor.routes(), request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(text(response.body()).contains("agent_id=\"beside_a_panic\""));
    }
}

#[test]
fn rendering_the_registry_survives_a_panicking_collector() {
    agent();
    let own = IntCounter::new("beside_a_panic_total", "Theirs.").unwrap();
    metrics::registry().register(Box::new(own)).unwrap();
    metrics::registry().register(Panics::boxed()).unwrap();
    let rendered = metrics::render();
    metrics::registry().unregister(Panics::boxed()).unwrap();
    assert!(rendered.contains("agent_id=\"beside_a_panic\""));
}
