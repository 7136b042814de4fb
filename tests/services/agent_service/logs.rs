//! The log of the service.

use serde_json::Value;

use crate::support::client::Response;
use crate::support::service::{LISTENING, Service, command, eventually, notes};

const REQUEST_ID: &str = "asked-by-a-test";

/// Asks under that request id, with everything logged.
fn ask(question: &str) -> (Response, Vec<Value>) {
    let notes = notes();
    let service = Service::start(command().arg("--docs").arg(notes.path()).env("LOG_LEVEL", "debug"));
    let body = serde_json::json!({ "question": question }).to_string();
    let response = service.client().send("POST", "/ask", &[("x-request-id", REQUEST_ID)], &body);
    let log = service.stop().log;
    (response, log.into_iter().filter(|line| line["request_id"] == REQUEST_ID).collect())
}

fn find<'l>(log: &'l [Value], event: &str) -> &'l Value {
    log.iter().find(|line| line["event"] == event).unwrap_or_else(|| panic!("no `{event}` in {log:#?}"))
}

#[test]
fn a_line_carries_its_request_run_agent_and_skill() {
    let (response, log) = ask("Which water does green tea want?");
    assert_eq!(response.header("x-request-id"), Some(REQUEST_ID));
    let answer_id = &response.json()["answer_id"];

    let ids = |event| ["answer_id", "agent_id", "skill_id"].map(|id| find(&log, event)[id].clone());
    let text = Value::from;
    assert_eq!(ids("notes searched"), [answer_id.clone(), text("researcher"), text("search_notes")]);
    assert_eq!(ids("answer composed"), [answer_id.clone(), text("researcher"), text("compose_answer")]);
    assert_eq!(ids("draft accepted"), [answer_id.clone(), text("reviewer"), Value::Null]);
    assert_eq!(ids("run ended"), [answer_id.clone(), Value::Null, Value::Null]);
    assert_eq!(find(&log, "notes searched")["passages"], 1);
    // The run that the recorder keeps is that of the agent.
    let runs = ["notes searched", "draft accepted"].map(|event| find(&log, event)["run_id"].clone());
    assert!(runs.iter().all(|id| id.as_str().is_some_and(|id| id.len() == 32)), "{runs:?}");
    assert!(find(&log, "run ended").get("run_id").is_none(), "outside of the agent");
}

#[test]
fn a_question_without_an_answer_is_a_warning_with_its_reason() {
    let (_, log) = ask("Who invented the steam engine?");
    let failed = find(&log, "agent failed");
    assert_eq!(failed["level"], "warn");
    assert_eq!(failed["agent_id"], "researcher");
    assert_eq!(failed["error"], "the notes have no answer to this question");
    assert_eq!(log.iter().filter(|line| line.get("error").is_some()).count(), 1, "{log:#?}");
}

#[test]
fn it_says_where_it_listens_and_what_to_open() {
    let notes = notes();
    let service = Service::on(&notes);
    let is_listening = |line: &Value| line["event"] == "listening";
    let listening = eventually("it is logged", || service.log().into_iter().find(is_listening));
    let address = format!("http://{}", service.address);
    let seen = ["address", "ask", "runs", "ready", "metrics"]
        .map(|name| listening[name].as_str().unwrap().to_owned());
    assert_eq!(
        seen,
        [
            address.clone(),
            format!("POST {address}/ask"),
            format!("{address}/runs"),
            format!("{address}/health/ready"),
            format!("{address}/health/metrics"),
        ]
    );
    assert_eq!((&listening["files"], &listening["passages"]), (&2.into(), &3.into()));
}

#[test]
fn its_address_is_a_plain_line_on_stderr_at_every_log_level() {
    for level in ["off", "info"] {
        let notes = notes();
        let service = Service::start(command().arg("--docs").arg(notes.path()).env("LOG_LEVEL", level));
        assert_eq!(service.get("/health/live").status, 200);
        let line = format!("{LISTENING}{}\nagent_service: live page at http://127.0.0.1:", service.address);
        let ended = service.stop();
        let page = ended.stderr.strip_prefix(&*line).and_then(|rest| rest.strip_suffix("/monitor/\n"));
        assert!(page.is_some_and(|port| port.parse::<u16>().is_ok()), "{}", ended.stderr);
        assert_eq!(ended.log.is_empty(), level == "off");
    }
}

#[test]
fn a_file_that_is_too_long_is_left_out_with_a_warning() {
    let notes = notes();
    std::fs::write(notes.path().join("long.md"), "long ".repeat(2 * 1024 * 1024 / 5 + 1)).unwrap();
    let log = Service::on(&notes).stop().log;
    let left_out = find(&log, "a file is too long, and left out");
    assert_eq!((&left_out["level"], &left_out["most_bytes"]), (&"warn".into(), &(2 * 1024 * 1024).into()));
    assert!(left_out["file"].as_str().is_some_and(|file| file.ends_with("/long.md")), "{left_out}");
    assert_eq!(find(&log, "listening")["files"], 2);
}

#[test]
fn told_to_stop_it_ends_well_with_its_last_line_written() {
    let service = Service::on(&notes());
    service.ask("Green tea?");
    let ended = service.stop();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.log.last().unwrap()["event"], "stopped");
    find(&ended.log, "run ended");
}

#[test]
fn a_check_that_passes_is_logged_once() {
    let service = Service::on(&notes());
    let passes = |log: &[Value]| log.iter().filter(|line| line["event"] == "health check passes").count();
    let runs = |check| {
        let labels = [("check", check), ("outcome", "passed")];
        service.metrics().value("health_check_runs_total", &labels).unwrap()
    };
    let have_passed_again = || ["database", "disk"].into_iter().all(|check| runs(check) > 1.0);
    eventually("both checks have passed again", || have_passed_again().then_some(()));
    assert_eq!(passes(&service.stop().log), 2);
}
