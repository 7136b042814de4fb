//! Calls by name, their samples, and what the process did in the last minutes.

use std::time::{Duration, Instant};

use monitor_runtime::{genai, track_agent, track_query, track_skill};
use serde_json::Value;

use crate::api::{json, monitor, send};
use crate::support::exposition::Exposition;
use crate::{runs, runs_of};

#[track_skill("calls_lone")]
fn alone(at: u8) -> Result<(), String> {
    if at == 0 { Err("nobody home".to_owned()) } else { Ok(()) }
}

#[track_query("calls_find", operation = "select")]
fn select() {}

#[track_query("calls_find", operation = "update")]
fn update() {}

#[track_agent("calls_agent")]
fn inside() {
    select();
    update();
    let _ = alone(0);
}

#[test]
fn a_call_has_samples_inside_and_outside_of_runs() {
    runs();
    let monitor = monitor();
    inside();
    let _ = alone(0);
    alone(1).unwrap();
    let failed = json(&monitor, "calls/skill/calls_lone?outcome=failed");
    assert_eq!((&failed["count"], &failed["success"], &failed["error"]), (&3.into(), &1.into(), &2.into()));
    let samples = failed["samples"].as_array().unwrap();
    assert_eq!(samples.len(), 2, "{failed:#}");
    assert!(samples.iter().all(|sample| sample["error"] == "nobody home" && sample["outcome"] == "error"));
    let in_run: Vec<_> = samples.iter().filter(|sample| !sample["run"].is_null()).collect();
    assert_eq!((in_run.len(), &in_run[0]["node"]), (1, &3.into()));
    let run = json(&monitor, &format!("runs/{}", in_run[0]["run"].as_str().unwrap()));
    assert_eq!(run["runs"][0]["nodes"][3]["name"], "calls_lone");
    let decades = failed["decades"].as_array().unwrap();
    assert_eq!(decades.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 1);
    let quick = json(&monitor, "calls/skill/calls_lone?decade=0");
    assert_eq!(quick["samples"].as_array().unwrap().len(), 1);
    assert!(
        json(&monitor, "calls/skill/calls_lone?outcome=cancelled")["samples"].as_array().unwrap().is_empty()
    );
}

#[test]
fn a_query_of_several_operations_is_summed_or_told_apart() {
    runs();
    let monitor = monitor();
    inside();
    let both = json(&monitor, "calls/query/calls_find");
    let one = json(&monitor, "calls/query/calls_find?operation=update");
    assert_eq!((&both["operation"], &one["operation"]), (&Value::Null, &"update".into()));
    assert_eq!(both["count"].as_u64().unwrap(), 2 * one["count"].as_u64().unwrap());
    let rows = json(&monitor, "calls");
    let rows = rows["calls"].as_array().unwrap().iter().filter(|row| row["name"] == "calls_find");
    assert_eq!(rows.map(|row| row["operation"].as_str().unwrap()).collect::<Vec<_>>(), ["select", "update"]);
}

#[track_agent("pin")]
fn named_as_a_change() {}

#[test]
fn a_call_of_any_name_is_read() {
    let monitor = monitor();
    named_as_a_change();
    assert_eq!(json(&monitor, "calls/agent/pin")["name"], "pin");
    let (status, _) =
        send(&monitor, "POST", "host: localhost\r\ncontent-length: 0\r\n", "/monitor/api/v1/calls/agent/pin");
    assert_eq!(status, 405);
}

#[track_agent("calls_providers")]
fn ask_both() {
    drop(genai::call("calls_azure", "calls_gpt"));
    drop(genai::call("calls_openai", "calls_gpt"));
}

#[test]
fn samples_of_a_model_are_those_of_the_provider_that_is_asked_for() {
    runs();
    let monitor = monitor();
    ask_both();
    let samples = |query: &str| {
        let shown = json(&monitor, &format!("calls/model/calls_gpt{query}"));
        shown["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sample| sample["node"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!([samples("?operation=calls_azure"), samples("?operation=calls_openai")], [[1], [2]]);
    assert_eq!(samples("").len(), 2);
}

#[track_agent("calls_history")]
fn pulse() {}

#[test]
fn plots_and_agents_show_the_last_minutes() {
    runs();
    let monitor = monitor();
    let began = Instant::now();
    let points = loop {
        pulse();
        let history = json(&monitor, "history?series=runs.success,agents.p50_us&range=60");
        let points = history["series"]["runs.success"].as_array().unwrap().clone();
        let counted: f64 = points.iter().filter_map(Value::as_f64).sum();
        if counted >= 1.0 {
            assert_eq!(history["series"]["agents.p50_us"].as_array().unwrap().len(), points.len());
            break points;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "no point in a minute: {history:#}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(points.len() <= 60);
    let agents = json(&monitor, "now");
    let agent =
        agents["agents"].as_array().unwrap().iter().find(|agent| agent["name"] == "calls_history").unwrap();
    assert!(agent["calls_per_s"].as_f64().unwrap() > 0.0, "{agent:#}");
    assert!(agent["p95_us"].as_u64().unwrap() > 0 && agent["error_ratio"] == 0.0, "{agent:#}");
    let spark: u64 = agent["spark"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert!(spark > 0, "{agent:#}");
}

#[track_agent(id = agent)]
fn end(agent: &str, how: u8) -> Result<(), String> {
    match how {
        0 => Ok(()),
        1 => Err("no".to_owned()),
        _ => panic!("on purpose"),
    }
}

#[track_agent("calls_truth")]
async fn cancelled() {
    std::future::pending::<()>().await;
}

#[test]
fn runs_by_outcome_are_as_many_as_the_counters_tell() {
    runs();
    let monitor = monitor();
    for how in [0, 0, 0, 1, 1, 2] {
        let _ = std::panic::catch_unwind(|| end("calls_truth", how));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let _ = tokio::time::timeout(Duration::from_millis(1), cancelled()).await;
    });
    let shown = json(&monitor, "calls/agent/calls_truth");
    let text = String::from_utf8(monitor.metrics().into_body().to_vec()).unwrap();
    let exposed = Exposition::read(&text);
    for (status, expected) in [("success", 3), ("error", 2), ("panic", 1), ("cancelled", 1)] {
        let kept =
            runs_of("calls_truth").iter().filter(|run| run.outcome().unwrap().as_str() == status).count();
        let counter =
            exposed.value("agent_executions_total", &[("agent_id", "calls_truth"), ("status", status)]);
        assert_eq!(
            (kept, counter, &shown[status]),
            (expected, Some(f64::from(u32::try_from(expected).unwrap())), &expected.into()),
            "{status}"
        );
    }
}
