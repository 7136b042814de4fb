//! Runs the agent and the program, and checks the counts, the trees of the runs and the log lines.

use std::process::Command;

use monitor_runtime::testing::{Recording, capture_logs};
use serde_json::Value;

/// Runs one part of the program on its own runtime, and returns its log lines.
fn lines_of(part: impl Future<Output = ()>) -> Vec<Value> {
    capture_logs(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(part);
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
fn a_run_and_each_of_its_tools_is_counted_by_its_own_outcome() {
    let recording = Recording::start();
    lines_of(trip_desk::answer("Oslo?"));
    assert_eq!(ended(&recording, "agent", "trip_planner"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(ended(&recording, "skill", "forecast"), [1.0, 0.0, 0.0, 0.0], "a method of `impl Tool`");
    assert_eq!(ended(&recording, "skill", "convert"), [1.0, 0.0, 0.0, 0.0], "`rig_tool` above");
    assert_eq!(ended(&recording, "skill", "book_hotel"), [0.0, 1.0, 0.0, 0.0], "`rig_tool` below");
}

/// The trees of the runs of one part of the program.
fn trees_of(part: impl Future<Output = ()>) -> String {
    let recording = Recording::with_runs();
    lines_of(part);
    recording.runs().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_is_a_tree_of_the_tools_that_the_model_chose() {
    let tree = "\
trip_planner ✓ · 4 model calls, 400 in, 80 out, unpriced
├─ model mock-model ✓ · 100 in, 20 out, unpriced
├─ skill forecast ✓
├─ model mock-model ✓ · 100 in, 20 out, unpriced
├─ skill convert ✓
├─ model mock-model ✓ · 100 in, 20 out, unpriced
├─ skill book_hotel ✗ every hotel in Oslo is full
└─ model mock-model ✓ · 100 in, 20 out, unpriced";
    assert_eq!(trees_of(trip_desk::answer("Oslo?")), tree);
    let tree = "\
trip_planner ✗ ProviderError: the model is overloaded · 1 model call, usage unknown
└─ model mock-model ✗ · usage unknown";
    assert_eq!(trees_of(trip_desk::fail("Rome?")), tree);
    let tree = "\
trip_planner ⊘ cancelled · 1 model call, 100 in, 20 out, unpriced
├─ model mock-model ✓ · 100 in, 20 out, unpriced
└─ skill ask_airline ⊘ cancelled";
    assert_eq!(trees_of(trip_desk::give_up("Bergen?")), tree);
}

#[test]
fn a_streamed_run_is_a_tree_that_ends_with_the_stream() {
    let tree = "\
trip_narrator ✓ 13 items · 2 model calls, 200 in, 40 out, unpriced
├─ model mock-model ✓ · 100 in, 20 out, unpriced
├─ skill forecast ✓
└─ model mock-model ✓ · 100 in, 20 out, unpriced";
    assert_eq!(trees_of(trip_desk::tell("Oslo?")), tree);
    let tree = "\
trip_narrator ⊘ cancelled 1 items · 1 model call, 100 in, 20 out, unpriced
└─ model mock-model ✓ · 100 in, 20 out, unpriced";
    assert_eq!(trees_of(trip_desk::hang_up("Bergen?")), tree);
}

#[test]
fn a_failed_tool_is_logged_as_a_skill_and_the_agent_continues() {
    let _recording = Recording::start();
    let lines = lines_of(trip_desk::answer("Oslo?"));
    let failed = the(&lines, "skill failed");
    assert_eq!(failed["agent_id"], "trip_planner");
    assert_eq!(failed["skill_id"], "book_hotel");
    assert_eq!(failed["error"], "every hotel in Oslo is full");
    assert_eq!(the(&lines, "answered")["plan"], "Walk to the opera; 575 kroner are enough for a day.");
}

#[test]
fn rigs_fields_of_a_run_are_on_its_lines() {
    let _recording = Recording::start();
    let lines = lines_of(trip_desk::answer("Oslo?"));
    let finished = the(&lines, "Agent run finished");
    assert_eq!(finished["logger"], "rig_agent::agent::engine", "a line of rig's own");
    for line in [finished, the(&lines, "trip planned")] {
        assert_eq!(line["agent_id"], "trip_planner");
        assert_eq!(line["gen_ai.operation.name"], "invoke_agent");
        assert_eq!(line["gen_ai.agent.name"], "trip_desk");
        assert_eq!(line["gen_ai.prompt"], "Oslo?", "recorded by rig on the span of the call");
    }
    let planned = the(&lines, "trip planned");
    assert_eq!([&planned["gen_ai.usage.input_tokens"], &planned["gen_ai.usage.output_tokens"]], [400, 80]);
}

#[test]
fn rigs_fields_of_a_tool_call_are_on_its_lines() {
    let _recording = Recording::start();
    let lines = lines_of(trip_desk::answer("Oslo?"));
    for (event, tool, call) in [
        ("looking at the sky", "forecast", "call-1"),
        ("converting", "convert", "call-2"),
        ("calling the hotels", "book_hotel", "call-3"),
        ("skill failed", "book_hotel", "call-3"),
    ] {
        let line = the(&lines, event);
        assert_eq!(line["agent_id"], "trip_planner", "{event}");
        assert_eq!(line["skill_id"], tool, "{event}");
        assert_eq!(line["gen_ai.operation.name"], "execute_tool", "{event}");
        assert_eq!(line["gen_ai.tool.name"], tool, "{event}");
        assert_eq!(line["gen_ai.tool.call.id"], call, "{event}");
    }
    assert_eq!(the(&lines, "looking at the sky")["city"], "Oslo");
    assert_eq!(the(&lines, "converting")["euros"], 50.0);
}

#[test]
fn rigs_fields_of_a_turn_are_on_its_lines() {
    let _recording = Recording::start();
    let lines = lines_of(trip_desk::answer("Oslo?"));
    let replies: Vec<_> = lines.iter().filter(|line| line["logger"] == "rig::completions").collect();
    assert_eq!(replies.len(), 4, "one for each turn: {lines:#?}");
    for reply in replies {
        assert_eq!(reply["agent_id"], "trip_planner");
        assert_eq!(reply["gen_ai.operation.name"], "chat");
        assert_eq!(reply["gen_ai.request.model"], "mock-model");
    }
}

#[test]
fn a_model_that_fails_is_an_error_of_the_agent() {
    let recording = Recording::start();
    let lines = lines_of(trip_desk::fail("Rome?"));
    assert_eq!(ended(&recording, "agent", "trip_planner"), [0.0, 1.0, 0.0, 0.0]);
    let failed = the(&lines, "agent failed");
    assert_eq!(failed["agent_id"], "trip_planner");
    assert_eq!(failed["gen_ai.prompt"], "Rome?");
    assert_eq!(failed["error"], "ProviderError: the model is overloaded");
}

#[test]
fn an_abandoned_run_is_cancelled_with_the_tool_it_waits_for() {
    let recording = Recording::start();
    let lines = lines_of(trip_desk::give_up("Bergen?"));
    assert_eq!(ended(&recording, "agent", "trip_planner"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(ended(&recording, "skill", "ask_airline"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(of(&lines, "agent failed").len() + of(&lines, "skill failed").len(), 0, "{lines:#?}");
}

#[test]
fn a_streamed_run_is_one_call_and_carries_the_fields_of_rig() {
    let recording = Recording::start();
    let lines = lines_of(trip_desk::tell("Oslo?"));
    assert_eq!(ended(&recording, "agent", "trip_narrator"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(ended(&recording, "skill", "forecast"), [1.0, 0.0, 0.0, 0.0]);
    let first_pieces = "agent_time_to_first_item_seconds_count";
    assert_eq!(recording.value(first_pieces, &[("agent_id", "trip_narrator")]), 1.0);

    assert_eq!(the(&lines, "looking at the sky")["agent_id"], "trip_narrator");
    let told = the(&lines, "trip told");
    assert_eq!(told["agent_id"], "trip_narrator");
    assert_eq!(told["gen_ai.prompt"], "Oslo?");
    assert_eq!([&told["gen_ai.usage.input_tokens"], &told["gen_ai.usage.output_tokens"]], [200, 40]);
}

#[test]
fn a_stream_that_nobody_hears_to_its_end_is_cancelled() {
    let recording = Recording::start();
    let lines = lines_of(trip_desk::hang_up("Bergen?"));
    assert_eq!(ended(&recording, "agent", "trip_narrator"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(of(&lines, "trip told").len(), 0, "{lines:#?}");
}

#[test]
fn the_program_prints_its_log_lines_and_then_its_metrics() {
    let output = Command::new(env!("CARGO_BIN_EXE_rig_agent"))
        .env_remove("LOG_LEVEL")
        .env_remove("RUST_LOG")
        .env_remove("LOG_FORMAT")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (lines, metrics) = printed.split_at(printed.find("# HELP").unwrap());
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(the(&lines, "trip planned")["gen_ai.usage.input_tokens"], 400);

    let calls: Vec<_> = metrics.lines().filter(|line| line.contains("_executions_total{")).collect();
    let calls: Vec<_> = calls.into_iter().filter(|line| !line.ends_with(" 0")).collect();
    assert_eq!(
        calls,
        [
            r#"agent_executions_total{agent_id="trip_narrator",status="cancelled"} 1"#,
            r#"agent_executions_total{agent_id="trip_narrator",status="success"} 1"#,
            r#"agent_executions_total{agent_id="trip_planner",status="cancelled"} 1"#,
            r#"agent_executions_total{agent_id="trip_planner",status="error"} 1"#,
            r#"agent_executions_total{agent_id="trip_planner",status="success"} 1"#,
            r#"skill_executions_total{skill_id="ask_airline",status="cancelled"} 1"#,
            r#"skill_executions_total{skill_id="book_hotel",status="error"} 1"#,
            r#"skill_executions_total{skill_id="convert",status="success"} 1"#,
            r#"skill_executions_total{skill_id="forecast",status="success"} 2"#,
        ]
    );
}
