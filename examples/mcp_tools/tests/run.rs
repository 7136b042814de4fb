//! Runs the tools, the agents and the program, and checks the counts, the trees of the runs and the log lines.

use std::process::Command;

use mcp_tools::{Client, borrow, give_up, session};
use monitor_runtime::testing::{Recording, capture_logs};
use serde_json::Value;

/// The log lines of one visit to the library, in its own session.
fn lines_of(visit: impl AsyncFnOnce(&Client)) -> Vec<Value> {
    capture_logs(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(session(visit)).unwrap();
    })
}

/// The lines whose event is `event`.
fn of<'l>(lines: &'l [Value], event: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[track_caller]
fn the<'l>(lines: &'l [Value], event: &str) -> &'l Value {
    let found = of(lines, event);
    assert_eq!(found.len(), 1, "`{event}` in {lines:#?}");
    found[0]
}

/// Number of executions of the agent or skill that ended as success, error, panic and cancelled; none may be in flight.
#[track_caller]
fn ended(recording: &Recording, kind: &str, id: &str) -> [f64; 4] {
    let label = format!("{kind}_id");
    assert_eq!(recording.value(&format!("active_{kind}s"), &[(&label, id)]), 0.0, "{id} in flight");
    ["success", "error", "panic", "cancelled"].map(|status| {
        recording.value(&format!("{kind}_executions_total"), &[(&label, id), ("status", status)])
    })
}

#[test]
fn an_agent_and_each_tool_that_it_calls_is_counted() {
    let recording = Recording::start();
    lines_of(async |client| borrow(client, "Dracula").await);
    assert_eq!(ended(&recording, "agent", "librarian"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(ended(&recording, "skill", "find_book"), [1.0, 0.0, 0.0, 0.0], "`tool` above");
    assert_eq!(ended(&recording, "skill", "lend_book"), [1.0, 0.0, 0.0, 0.0], "`tool` below");
}

/// The trees of the runs of one visit.
fn trees_of(visit: impl AsyncFnOnce(&Client)) -> String {
    let recording = Recording::with_runs();
    lines_of(visit);
    recording.runs().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_is_the_agent_alone_since_the_tools_are_calls_of_the_server() {
    assert_eq!(trees_of(async |client| borrow(client, "Dracula").await), "librarian ✓");
    let tree = "librarian ✗ nobody has written Necronomicon";
    assert_eq!(trees_of(async |client| borrow(client, "Necronomicon").await), tree);
    let tree = "orderer ✗ the library does not answer: request timeout after PT0.1S";
    assert_eq!(trees_of(async |client| give_up(client, "Dune").await), tree);
}

#[test]
fn lines_of_a_tool_carry_the_fields_of_rmcp_and_the_client() {
    let _recording = Recording::start();
    let lines = lines_of(async |client| borrow(client, "Dracula").await);
    for (event, skill, number) in [("looking", "find_book", "1"), ("lending", "lend_book", "2")] {
        let line = the(&lines, event);
        assert_eq!(line["skill_id"], skill);
        assert_eq!(line["mcp.request.id"], number);
        assert_eq!(line["request_id"], "desk-Dracula");
        assert_eq!(line.get("agent_id"), None, "the agent is on the other side of the pipe");
    }
    let lent = the(&lines, "lent");
    assert_eq!(lent["agent_id"], "librarian");
    assert_eq!(lent["request_id"], "desk-Dracula");
}

#[test]
fn a_tool_that_returns_an_error_is_one_and_so_is_its_agent() {
    let recording = Recording::start();
    let lines = lines_of(async |client| borrow(client, "Necronomicon").await);
    assert_eq!(ended(&recording, "skill", "find_book"), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(ended(&recording, "agent", "librarian"), [0.0, 1.0, 0.0, 0.0]);
    for (event, id, name) in
        [("skill failed", "skill_id", "find_book"), ("agent failed", "agent_id", "librarian")]
    {
        let failed = the(&lines, event);
        assert_eq!(failed[id], name);
        assert_eq!(failed["request_id"], "desk-Necronomicon");
        assert_eq!(failed["error"], "nobody has written Necronomicon");
    }
}

#[test]
fn a_result_that_says_it_is_an_error_is_counted_as_one() {
    let recording = Recording::start();
    let lines = lines_of(async |client| borrow(client, "Emma").await);
    assert_eq!(ended(&recording, "skill", "find_book"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(ended(&recording, "skill", "lend_book"), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(the(&lines, "agent failed")["error"], "Emma is lent");
}

#[test]
fn a_call_that_the_client_gives_up_is_cancelled_on_the_server() {
    let recording = Recording::start();
    let lines = lines_of(async |client| give_up(client, "Dune").await);
    assert_eq!(ended(&recording, "skill", "order_book"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(ended(&recording, "agent", "orderer"), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(the(&lines, "agent failed")["error"], "the library does not answer");
    assert_eq!(the(&lines, "ordering")["request_id"], "desk-Dune");
}

#[test]
fn the_program_prints_its_log_lines_and_then_its_metrics() {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp_tools"))
        .env_remove("LOG_LEVEL")
        .env_remove("RUST_LOG")
        .env_remove("LOG_FORMAT")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (lines, metrics) = printed.split_at(printed.find("# HELP").unwrap());
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(the(&lines, "lent")["request_id"], "desk-Dracula");

    let calls: Vec<_> = metrics.lines().filter(|line| line.contains("_executions_total{")).collect();
    let calls: Vec<_> = calls.into_iter().filter(|line| !line.ends_with(" 0")).collect();
    assert_eq!(
        calls,
        [
            r#"agent_executions_total{agent_id="librarian",status="error"} 2"#,
            r#"agent_executions_total{agent_id="librarian",status="success"} 1"#,
            r#"agent_executions_total{agent_id="orderer",status="error"} 1"#,
            r#"skill_executions_total{skill_id="find_book",status="error"} 1"#,
            r#"skill_executions_total{skill_id="find_book",status="success"} 2"#,
            r#"skill_executions_total{skill_id="lend_book",status="error"} 1"#,
            r#"skill_executions_total{skill_id="lend_book",status="success"} 1"#,
            r#"skill_executions_total{skill_id="order_book",status="cancelled"} 1"#,
        ]
    );
}
