//! Every answer of a monitor that runs, against the schema that it ships.

use std::time::Duration;

use boon::{Compiler, Schemas};
use monitor_runtime::health::{CheckError, Policy, check_fn};
use monitor_runtime::{Monitor, genai, run, track_agent, track_query, track_skill};
use serde_json::Value;

use crate::api::{ask, json, send};
use crate::runs;

/// Fails unless the answer is as the schema defines it.
pub(crate) fn check(schema: &Value, definition: &str, path: &str, answer: &Value) {
    const AT: &str = "http://monitor.example/api.schema.json";
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(AT, schema.clone()).unwrap();
    let index = compiler.compile(&format!("{AT}#/$defs/{definition}"), &mut schemas).unwrap();
    if let Err(error) = schemas.validate(answer, index) {
        panic!("{path}: {error:#}\n{answer:#}");
    }
}

#[track_skill("schema_step")]
fn step(at: u8) -> Result<(), String> {
    tracing::info!(at, "stepped");
    if at == 0 { Err("no road".to_owned()) } else { Ok(()) }
}

#[track_query("schema_find", operation = "select")]
fn find() {}

#[track_agent("schema_walks", budget(skill_calls = 1, cost = "1"))]
fn walk(at: u8) -> Result<(), String> {
    run::tag("at", at);
    run::note("set out");
    genai::call("schema", "schema-gpt").finish("stop");
    find();
    step(at).or_else(|_| step(at))
}

/// A monitor of a process in which everything has happened that an answer shows.
async fn eventful() -> Monitor {
    runs();
    for at in [1, 0, 1] {
        let _ = walk(at);
    }
    // Outside of any run.
    let _ = step(0);
    let failing = check_fn("schema_search", async || Err::<&str, _>(CheckError::new("no index")));
    let passing = check_fn("schema_store", async || Ok::<_, std::io::Error>("3 files"));
    let monitor = Monitor::builder()
        .admin_port(0)
        .check(passing)
        .check_with(Policy::non_critical().failure_threshold(2), failing)
        .pool_with("schema_pool", || monitor_runtime::PoolState::of_open(3_u8, 1_u8, 8_u8))
        .check_interval(Duration::from_millis(50))
        .build()
        .unwrap();
    while monitor.ready().status() != 200 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    monitor
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_as_its_schema_has_it() {
    let monitor = eventful().await;
    tokio::task::spawn_blocking(move || {
        let schema = json(&monitor, "schema");
        let id = json(&monitor, "runs?agent=schema_walks")["runs"][0]["id"].as_str().unwrap().to_owned();
        let run = format!("runs/{id}");
        for (definition, path) in [
            ("now", "now"),
            ("history", "history"),
            ("history", "history?series=runs.success,agents.p95_us&range=3600"),
            ("runs", "runs"),
            ("runs", "runs?sort=duration&limit=1"),
            ("runs", "runs?status=running"),
            ("run_answer", &run),
            ("calls", "calls"),
            ("call", "calls/agent/schema_walks"),
            ("call", "calls/skill/schema_step?outcome=failed"),
            ("call", "calls/query/schema_find?operation=select&decade=0"),
            ("models", "models"),
            ("health", "health"),
            ("logs", "logs"),
            ("logs", "logs?level=warn&q=road"),
            ("about", "about"),
        ] {
            let answer = json(&monitor, path);
            check(&schema, definition, path, &answer);
            // Every answer says whose it is.
            assert_eq!(answer["instance"]["pid"], std::process::id(), "{path}");
            assert_eq!(answer["ready"]["status"], "ready", "{path}");
            assert!(answer["keeps"]["kept"].as_u64() <= answer["keeps"]["ended"].as_u64(), "{path}");
        }
        for path in ["runs?limit=0", "runs/7", "calls/tool/x", "nothing"] {
            let (_, body) = ask(&monitor, path);
            check(&schema, "error", path, &serde_json::from_str(&body).unwrap());
        }
        let path = format!("/monitor/api/v1/runs/{id}");
        let (_, refused) = send(&monitor, "POST", "host: localhost\r\ncontent-length: 0\r\n", &path);
        check(&schema, "error", &path, &serde_json::from_str(&refused).unwrap());
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_answer_does_not_pass() {
    let monitor = eventful().await;
    tokio::task::spawn_blocking(move || {
        let schema = json(&monitor, "schema");
        let mut answer = json(&monitor, "runs?agent=schema_walks");
        answer["runs"][0]["id"] = "7".into();
        let checked = std::panic::catch_unwind(|| check(&schema, "runs", "runs", &answer));
        assert!(checked.is_err());
    })
    .await
    .unwrap();
}

/// The whole numbers of a text.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|char: char| !char.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The text of an answer.
fn text(monitor: &Monitor, path: &str) -> String {
    let joined = if path.contains('?') { "&" } else { "?" };
    let (status, text) = ask(monitor, &format!("{path}{joined}format=text"));
    assert_eq!(status, 200, "{path}: {text}");
    text
}

/// Fails unless the line of a text that has a word also has these numbers of the object.
fn has(text: &str, word: &str, object: &Value, names: &[&str]) {
    let line = text.lines().find(|line| line.contains(word)).unwrap_or_default();
    for name in names {
        let number = object[*name].as_u64().unwrap_or_else(|| panic!("{name} of {object}"));
        assert!(numbers(line).contains(&number), "{name} {number}: {line}");
    }
}

fn named<'v>(rows: &'v Value, name: &str) -> &'v Value {
    rows.as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == name)
        .unwrap_or_else(|| panic!("{name} in {rows}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_text_of_an_answer_has_the_numbers_of_its_json() {
    let monitor = eventful().await;
    tokio::task::spawn_blocking(move || {
        texts_of_runs_and_calls(&monitor);
        texts_of_the_process(&monitor);
    })
    .await
    .unwrap();
}

fn texts_of_runs_and_calls(monitor: &Monitor) {
    let (runs, shown) = (json(monitor, "runs?agent=schema_walks"), text(monitor, "runs?agent=schema_walks"));
    let counts = [
        "started_us",
        "duration_us",
        "steps",
        "failed_steps",
        "skill_calls",
        "query_calls",
        "retries",
        "repeats",
    ];
    for run in runs["runs"].as_array().unwrap() {
        has(&shown, run["id"].as_str().unwrap(), run, &counts);
        let line = shown.lines().find(|line| line.contains(run["id"].as_str().unwrap())).unwrap();
        assert!(line.contains(&format!("at={}", run["tags"]["at"].as_str().unwrap())), "{line}");
        let is_over = run["limits_hit"] == serde_json::json!(["skill_calls"]);
        assert_eq!(
            (is_over, line.contains("over:skill_calls")),
            (run["budget"] == "over", is_over),
            "{line}"
        );
        assert!(line.contains("unverifiable:cost"), "{line}");
    }
    let path = "calls/skill/schema_step";
    let (call, shown) = (json(monitor, path), text(monitor, path));
    has(&shown, "schema_step", &call, &["count", "success", "error", "panic", "cancelled", "running"]);
    for sample in call["samples"].as_array().unwrap() {
        has(&shown, &sample["started_us"].to_string(), sample, &["duration_us"]);
    }
    let (calls, shown) = (json(monitor, "calls"), text(monitor, "calls"));
    let find = named(&calls["calls"], "schema_find");
    assert_eq!(find["operation"], "select");
    has(&shown, "schema_find", find, &["count", "success"]);
    has(&shown, "schema_pool", named(&calls["pools"], "schema_pool"), &["leased", "idle", "max"]);
    let now = text(monitor, "now");
    assert!(
        now.contains("\nAGENTS") && now.contains(" COST_PER_RUN\n") && now.contains("\nFAILURE"),
        "{now}"
    );
}

fn texts_of_the_process(monitor: &Monitor) {
    let (about, shown) = (json(monitor, "about"), text(monitor, "about"));
    has(&shown, "memory ", &about, &["memory"]);
    has(&shown, "pid ", &about, &["pid"]);
    let (health, shown) = (json(monitor, "health"), text(monitor, "health"));
    has(&shown, "schema_search", named(&health["checks"], "schema_search"), &["interval_us", "timeout_us"]);
    assert!(shown.contains("no index") && shown.ends_with("ready check passed\n"), "{shown}");
    let path = "history?series=in_flight.agent&range=60";
    assert_eq!(json(monitor, path)["step_us"], 1_000_000);
    assert!(text(monitor, path).starts_with("TIME_US"));
    let logs = text(monitor, "logs");
    assert!(text(monitor, "models").starts_with("PROVIDER") && logs.contains("dropped "), "{logs}");
}
