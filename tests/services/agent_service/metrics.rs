//! The service's metrics, with the right values, and its health.

use serde_json::Value;

use crate::agent_service::recorded::{assert_all_timed, moved};
use crate::support::service::{Service, eventually, notes};

/// Two answers, one of them in two rounds, one question without an answer, and one invalid question.
fn asked() -> Service {
    let service = Service::on(&notes());
    let statuses = ["Which water does green tea want?", "Warm cups and boiling water", "Steam engines?", ""]
        .map(|question| service.ask(question).status);
    assert_eq!(statuses, [200, 200, 404, 400]);
    service
}

#[test]
fn agents_and_skills_are_counted_by_outcome() {
    let scrape = asked().metrics();
    assert_eq!(
        moved(&scrape, &["agent_executions_total", "skill_executions_total"]),
        [
            "agent_executions_total researcher error = 1",
            "agent_executions_total researcher success = 4",
            "agent_executions_total reviewer success = 4",
            "skill_executions_total compose_answer success = 5",
            "skill_executions_total rank_passages success = 5",
            "skill_executions_total search_notes success = 5",
        ]
    );
    assert_all_timed(&scrape, "agent_executions_total", "agent_execution_duration_seconds");
    assert_all_timed(&scrape, "skill_executions_total", "skill_execution_duration_seconds");
    assert_eq!(moved(&scrape, &["active_agents", "active_skills"]), [""; 0]);
}

#[test]
fn queries_are_counted_by_operation() {
    let scrape = asked().metrics();
    assert_eq!(
        moved(&scrape, &["db_queries_total"]),
        [
            "db_queries_total insert replace_passages success = 1",
            "db_queries_total insert save_run success = 3",
            "db_queries_total select search_passages success = 7",
        ]
    );
    assert_all_timed(&scrape, "db_queries_total", "db_query_duration_seconds");
}

#[test]
fn requests_are_counted_by_route_and_status() {
    let service = asked();
    service.runs();
    service.get("/no/such/page");
    service.get("/health/ready");
    let scrape = service.metrics();
    assert_eq!(
        moved(&scrape, &["http_requests_total"]),
        [
            "http_requests_total GET /runs 200 = 1",
            "http_requests_total GET unmatched 404 = 1",
            "http_requests_total POST /ask 200 = 2",
            "http_requests_total POST /ask 400 = 1",
            "http_requests_total POST /ask 404 = 1",
        ]
    );
    assert_all_timed(&scrape, "http_requests_total", "http_request_duration_seconds");
    assert_eq!(moved(&scrape, &["http_requests_in_flight"]), [""; 0]);
}

#[test]
fn the_build_the_pool_and_the_log_are_shown() {
    let service = asked();
    let scrape = eventually("all connections are idle", || {
        let scrape = service.metrics();
        moved(&scrape, &["db_connections_active"]).is_empty().then_some(scrape)
    });
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(moved(&scrape, &["build_info"]), [format!("build_info agent-service {version} = 1")]);
    assert_eq!(moved(&scrape, &["db_connections_max"]), ["db_connections_max main = 8"]);
    assert!(scrape.value("db_connections_idle", &[("pool", "main")]).is_some_and(|idle| idle >= 1.0));

    let logged = |level| service.log().iter().filter(|line| line["level"] == level).count();
    for level in ["info", "warn", "error"] {
        let counted = || service.metrics().value("log_events_total", &[("level", level)]).unwrap();
        let are_equal = || (counted().to_string() == logged(level).to_string()).then_some(());
        eventually("every line is counted", are_equal);
    }
    assert_eq!([logged("info"), logged("warn"), logged("error")].map(|lines| lines > 0), [true, true, false]);
    assert_eq!(moved(&scrape, &["log_events_dropped_total", "monitor_series_overflow_total"]), [""; 0]);
}

#[test]
fn a_healthy_service_says_so_to_every_probe() {
    let service = Service::on(&notes()).ready();
    let live = service.get("/health/live");
    assert_eq!((live.status, live.body.as_str()), (200, r#"{"status":"alive"}"#));

    let ready = service.get("/health/ready");
    assert_eq!((ready.status, &ready.json()["status"]), (200, &Value::from("ready")), "{}", ready.body);
    assert_eq!(ready.json()["checks"]["database"]["message"], "database answered");
    assert_eq!(ready.json()["checks"]["disk"]["healthy"], true);
    assert_eq!(service.get("/health/startup").status, 200);

    let metrics = service.get("/health/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let checks = moved(&service.metrics(), &["health_check_status"]);
    assert_eq!(checks, ["health_check_status database = 1", "health_check_status disk = 1"]);
}
