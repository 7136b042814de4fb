//! The service asking itself.

use std::collections::BTreeSet;

use crate::agent_service::recorded::{is_moving, moved};
use crate::support::service::{Service, command, eventually, notes};

/// Every family of the reference that a service can move without being broken.
const FAMILIES: [&str; 19] = [
    "active_agents",
    "active_skills",
    "agent_execution_duration_seconds",
    "agent_executions_total",
    "build_info",
    "db_connections_active",
    "db_connections_idle",
    "db_connections_max",
    "db_queries_total",
    "db_query_duration_seconds",
    "health_check_duration_seconds",
    "health_check_last_success_timestamp_seconds",
    "health_check_status",
    "http_request_duration_seconds",
    "http_requests_in_flight",
    "http_requests_total",
    "log_events_total",
    "skill_execution_duration_seconds",
    "skill_executions_total",
];

#[test]
fn its_own_questions_move_every_metric() {
    let notes = notes();
    let service = Service::start(command().arg("--docs").arg(notes.path()).args(["--traffic", "200"]));
    let mut still = BTreeSet::from(FAMILIES);
    eventually("every family moves", || {
        let scrape = service.metrics();
        still.retain(|family| !is_moving(&scrape, family));
        still.is_empty().then_some(())
    });
    assert!(service.stop().status.success(), "it stops in the middle of its traffic");
}

#[test]
fn own_traffic_reaches_every_outcome_of_a_question() {
    let notes = notes();
    let service = Service::start(command().arg("--docs").arg(notes.path()).args(["--traffic", "100"]));
    let expected = [
        "agent_executions_total researcher cancelled",
        "agent_executions_total researcher error",
        "agent_executions_total researcher success",
        "agent_executions_total reviewer success",
        "http_requests_total GET /runs 200",
        "http_requests_total POST /ask 200",
        "http_requests_total POST /ask 400",
        "http_requests_total POST /ask 404",
        "http_requests_total POST /ask 499",
        "http_requests_total POST /ask 504",
    ];
    eventually("all of them", || {
        let moved = moved(&service.metrics(), &["agent_executions_total", "http_requests_total"]);
        let is_there = |series: &&str| moved.iter().any(|line| line.starts_with(&format!("{series} = ")));
        expected.iter().all(is_there).then_some(())
    });
    // Only the last runs are listed, so one look does not see all there were.
    let mut missing = BTreeSet::from(["answered", "unanswered", "timed_out", "abandoned"]);
    eventually("runs of every such status", || {
        for run in service.runs() {
            missing.remove(run["status"].as_str().unwrap());
        }
        missing.is_empty().then_some(())
    });
}
