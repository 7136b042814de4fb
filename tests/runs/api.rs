//! The API of the runs on the admin listener.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use monitor_runtime::genai::{self, ModelReply, Usage};
use monitor_runtime::health::{CheckError, check_fn};
use monitor_runtime::run::RunId;
use monitor_runtime::{Monitor, run, track_agent, track_model, track_skill};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::runs;

/// Asks the API of a monitor. Returns status and body.
fn ask_as(monitor: &Monitor, head: &str, path: &str) -> (u16, String) {
    send(monitor, "GET", head, path)
}

pub(crate) fn send(monitor: &Monitor, method: &str, head: &str, path: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(monitor.admin_address().unwrap()).unwrap();
    write!(connection, "{method} {path} HTTP/1.1\r\nconnection: close\r\n{head}\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("cache-control: no-store"), "{head}");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub(crate) fn ask(monitor: &Monitor, path: &str) -> (u16, String) {
    ask_as(monitor, "host: localhost\r\n", &format!("/monitor/api/v1/{path}"))
}

pub(crate) fn json(monitor: &Monitor, path: &str) -> Value {
    let (status, body) = ask(monitor, path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

pub(crate) fn monitor() -> Monitor {
    runs();
    Monitor::builder().admin_port(0).build().unwrap()
}

#[track_skill("api_step")]
fn step(at: u8) -> Result<(), String> {
    if at == 0 { Err("<b>no\nroad\u{202e}".to_owned()) } else { Ok(()) }
}

#[track_agent(id = agent)]
fn walk(agent: &str, at: u8) -> Result<RunId, String> {
    step(at)?;
    Ok(run::current().unwrap().id())
}

#[test]
fn kept_runs_are_listed_by_filters_page_by_page() {
    let monitor = monitor();
    let ids: Vec<_> = (1..=3).map(|at| walk("api_pages", at).unwrap().to_string()).collect();
    walk("api_pages", 0).unwrap_err();
    let listed = json(&monitor, "runs?agent=api_pages&status=error");
    assert_eq!(listed["runs"].as_array().unwrap().len(), 1);
    let failed = &listed["runs"][0];
    assert_eq!(
        (&failed["status"], &failed["steps"], &failed["failed_steps"]),
        (&"error".into(), &1.into(), &1.into())
    );
    assert_eq!(failed["error"], "<b>no\nroad\u{202e}");
    let first = json(&monitor, "runs?agent=api_pages&status=success&limit=2");
    let second =
        json(&monitor, &format!("runs?agent=api_pages&status=success&limit=2&cursor={}", first["cursor"]));
    let pages = [&first, &second].into_iter().flat_map(|page| page["runs"].as_array().unwrap());
    let found: Vec<_> = pages.map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(found, [&*ids[2], &*ids[1], &*ids[0]]);
    assert_eq!(second["cursor"], Value::Null);
    let exact = json(&monitor, "runs?agent=api_pages&status=success&limit=3");
    assert_eq!((exact["runs"].as_array().unwrap().len(), &exact["cursor"]), (3, &Value::Null));
    assert!(json(&monitor, "runs?agent=api_pages&min_ms=60000")["runs"].as_array().unwrap().is_empty());
}

#[test]
fn a_run_is_shown_as_a_tree_in_json_and_text() {
    let monitor = monitor();
    let id = walk("api_walk", 1).unwrap();
    let shown = json(&monitor, &format!("runs/{id}"));
    let nodes = shown["runs"][0]["nodes"].as_array().unwrap();
    let said: Vec<_> =
        nodes.iter().map(|node| (&node["parent"], &node["kind"], &node["name"], &node["outcome"])).collect();
    let (agent, skill) = ("agent".into(), "skill".into());
    let (walk, step, success) = ("api_walk".into(), "api_step".into(), "success".into());
    assert_eq!(said, [(&Value::Null, &agent, &walk, &success), (&0.into(), &skill, &step, &success)]);
    let (status, text) = ask(&monitor, &format!("runs/{id}?format=text"));
    assert_eq!(status, 200);
    assert!(
        text.starts_with(&format!("run {id}\napi_walk ✓ ")) && text.contains("└─ skill api_step ✓ "),
        "{text}"
    );
}

static CHECKED: AtomicU32 = AtomicU32::new(0);
static IS_GONE: AtomicBool = AtomicBool::new(false);

/// Lets the check of this process say something else, and waits until that is published.
async fn turn(is_gone: bool) {
    IS_GONE.store(is_gone, Ordering::Relaxed);
    let before = CHECKED.load(Ordering::Relaxed);
    while CHECKED.load(Ordering::Relaxed) < before + 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readiness_is_noted_though_nobody_looks() {
    runs();
    let check = check_fn("api_flips", async || {
        CHECKED.fetch_add(1, Ordering::Relaxed);
        if IS_GONE.load(Ordering::Relaxed) { Err(CheckError::new("gone")) } else { Ok("here") }
    });
    let interval = Duration::from_millis(10);
    let monitor = Monitor::builder().admin_port(0).check(check).check_interval(interval).build().unwrap();
    for is_gone in [false, true, false] {
        turn(is_gone).await;
    }
    let monitor = tokio::task::spawn_blocking(move || {
        let health = json(&monitor, "health");
        let noted = health["history"].as_array().unwrap();
        let statuses: Vec<_> = noted.iter().map(|noted| noted["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["ready", "not_ready", "ready", "not_ready"], "{health:#}");
        assert_eq!(noted[1]["reason"], "api_flips: gone");
        assert_eq!(health["checks"][0]["transitions"][1]["status"], "unhealthy", "{health:#}");
        monitor
    })
    .await
    .unwrap();
    turn(true).await;
    tokio::task::spawn_blocking(move || {
        let now = json(&monitor, "now");
        let since = &now["ready"]["since_us"];
        let warning = json!({"level": "bad", "text": "Not ready: api_flips: gone.", "since_us": since, "link": "health"});
        assert!(since.is_u64() && now["banner"].as_array().unwrap().contains(&warning), "{now:#}");
        let (_, text) = ask(&monitor, "now?format=text");
        let line = format!("bad     {since}  health  Not ready: api_flips: gone.\n");
        assert!(text.starts_with("BANNER  SINCE_US") && text.contains(&line), "{text}");
    })
    .await
    .unwrap();
}

#[track_agent("api_models")]
fn ask_models() -> RunId {
    let mut call = genai::call("openai", "gpt-5");
    call.model("gpt-5-2025-08-07");
    call.usage(Usage::new(812, 96).cached(640).cost_usd(0.001_255));
    call.refused();
    call.finish("stop");
    drop(genai::call("openai", "gpt-5"));
    run::current().unwrap().id()
}

#[test]
fn a_run_shows_its_tokens_and_its_cost() {
    let monitor = monitor();
    let id = ask_models();
    let shown = &json(&monitor, &format!("runs/{id}"))["runs"][0];
    let tokens = json!({
        "input": 812, "cached_input": 640, "cache_write": null, "output": 96, "reasoning": null, "unknown_calls": 1
    });
    let cost = json!({"nano_usd": 1_255_000, "priced": 1, "of": 2, "estimated": false});
    assert_eq!((&shown["tokens"], &shown["cost"]), (&tokens, &cost));
    let call = &shown["nodes"][1]["model"];
    let (_, text) = ask(&monitor, "runs?agent=api_models&limit=1&format=text");
    let [columns, cells] =
        ["STATUS", "success"].map(|word| text.lines().find(|line| line.starts_with(word)).unwrap());
    let priced = "≥ $0.001255 (1 of 2 calls priced)";
    for (column, figure) in [("  IN  ", "812"), ("CACHED", "640"), ("OUT", "96"), ("COST", priced)] {
        assert!(columns.contains(column) && cells.contains(&format!("  {figure}  ")), "{column}: {text}");
    }
    let named = ["provider", "request_model", "response_model", "finish", "cost_source"];
    assert_eq!(named.map(|name| &call[name]), ["openai", "gpt-5", "gpt-5-2025-08-07", "stop", "provider"]);
    assert_eq!((&call["tokens"]["input"], &call["cost"]["of"]), (&json!(812), &json!(1)));
    let dropped = &shown["nodes"][2]["model"];
    assert_eq!((&dropped["tokens"]["unknown_calls"], &dropped["cost"]["priced"]), (&json!(1), &json!(0)));
    assert_eq!((&call["refused"], &dropped["refused"]), (&true.into(), &false.into()));
    assert_eq!((&dropped["tokens"]["input"], &dropped["cost_source"]), (&Value::Null, &Value::Null));
    assert!(shown["nodes"][0].get("model").is_none());
    let listed = json(&monitor, "runs?agent=api_models");
    assert_eq!(listed["runs"][0]["cost"], cost);
    let models = json(&monitor, "models");
    let row = models["models"].as_array().unwrap().iter().find(|row| row["model"] == "gpt-5").unwrap();
    assert_eq!((&row["price_source"], &row["prices_as_of"]), (&"provider".into(), &Value::Null));
    let without = walk("api_modelless", 1).unwrap();
    let without = &json(&monitor, &format!("runs/{without}"))["runs"][0];
    assert_eq!((&without["tokens"], &without["cost"]), (&Value::Null, &Value::Null));
}

#[track_model("api-streamed", provider = "openai")]
fn streamed() -> impl Stream<Item = Reply> {
    stream::iter([Reply(None), Reply(Some(Usage::new(812, 600)))])
}

/// A piece of a streamed reply.
struct Reply(Option<Usage>);

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        self.0
    }
}

#[test]
fn a_model_shows_its_first_chunks_and_its_output_of_the_last_minutes() {
    let monitor = monitor();
    // The history reads once a second, and calls before its first reading are too old for it.
    let row = loop {
        assert_eq!(streamed().count().now_or_never(), Some(2));
        let answer = json(&monitor, "models");
        let row = answer["models"].as_array().unwrap().iter().find(|row| row["model"] == "api-streamed");
        match row.filter(|row| !row["first_chunk_p95_us"].is_null()) {
            Some(row) => break row.clone(),
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    let [p50, p95] = ["first_chunk_p50_us", "first_chunk_p95_us"].map(|name| row[name].as_u64().unwrap());
    assert!(p50 <= p95, "{row}");
    assert!(row["output_tokens_per_s"].as_f64().is_some_and(|rate| rate > 0.0), "{row}");
    let (_, text) = ask(&monitor, "models?format=text");
    for column in ["FIRST_CHUNK_P50_US", "FIRST_CHUNK_P95_US", "OUTPUT_PER_S"] {
        assert!(text.lines().next().unwrap().contains(column), "{text}");
    }
}

#[track_agent("api_tagged", budget(skill_calls = 1))]
fn answer(ticket: u32) -> RunId {
    run::tag("ticket", ticket);
    run::note("looked it up");
    for _ in 0..ticket {
        step(1).unwrap();
    }
    run::current().unwrap().id()
}

#[test]
fn runs_are_found_by_their_tags_and_show_what_users_told() {
    let monitor = monitor();
    let ids = [1, 2].map(answer);
    let tagged = |tag: &str| {
        let found = json(&monitor, &format!("runs?agent=api_tagged&tag={tag}"));
        found["runs"].as_array().unwrap().iter().map(|run| run["budget"].clone()).collect::<Vec<_>>()
    };
    let found =
        |q: &str| json(&monitor, &format!("runs?agent=api_tagged&q={q}"))["runs"].as_array().unwrap().len();
    assert_eq!([found("TICKET%3D2"), found("ticket"), found("looked"), found("ticket%3D3")], [1, 2, 2, 0]);
    assert_eq!(tagged("ticket"), ["over".into(), Value::Null]);
    assert_eq!(tagged("ticket:1"), [Value::Null]);
    assert!(tagged("ticket:3").is_empty() && tagged("other").is_empty());
    let shown = &json(&monitor, &format!("runs/{}", ids[1]))["runs"][0];
    assert_eq!(shown["tags"], json!({ "ticket": "2" }));
    let note = &shown["notes"][0];
    assert_eq!((&note["node"], &note["text"]), (&0.into(), &"looked it up".into()));
    let root = &shown["nodes"][0];
    assert_eq!((&root["over_budget"], &root["limits_hit"]), (&true.into(), &json!(["skill_calls"])));
    assert_eq!((&shown["limits_hit"], &shown["limits_unverifiable"]), (&json!(["skill_calls"]), &json!([])));
    assert_eq!((&shown["nodes"][1]["repeat"], &shown["lost_texts"]), (&1.into(), &0.into()));
    let (_, table) = ask(&monitor, "runs?agent=api_tagged&tag=ticket:2&format=text");
    assert!(table.contains("over:skill_calls") && table.contains("ticket=2"), "{table}");
    let (_, tree) = ask(&monitor, &format!("runs/{}?format=text", ids[1]));
    for part in ["over budget (skill_calls)", "[ticket=2]", "• looked it up"] {
        assert!(tree.contains(part), "{part}: {tree}");
    }
}

#[track_agent("api_waits")]
async fn wait(gate: oneshot::Receiver<()>) {
    gate.await.unwrap();
}

#[test]
fn what_goes_on_is_shown_with_its_current_step() {
    let monitor = monitor();
    let (open, gate) = oneshot::channel();
    let waiting = thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(wait(gate));
    });
    let text = loop {
        let (status, text) = ask(&monitor, "now?format=text&limit=1000");
        assert_eq!(status, 200);
        // The table of agents may show it first: a call is counted before it is recorded.
        if text.lines().any(|line| line.starts_with("running  ") && line.contains("api_waits")) {
            break text;
        }
    };
    open.send(()).unwrap();
    waiting.join().unwrap();
    let line = text.lines().find(|line| line.contains("api_waits")).unwrap();
    assert!(line.starts_with("running  ") && line.ends_with("  api_waits"), "{text}");
    assert!(text.starts_with("STATUS  ") && text.ends_with("\nmore 0\n"), "{text}");
}

#[test]
fn hostile_text_stays_on_its_line_in_a_table() {
    let monitor = monitor();
    walk("api_hostile", 0).unwrap_err();
    let (_, text) = ask(&monitor, "runs?format=text&agent=api_hostile&status=error&limit=1");
    assert!(text.contains(r"<b>no\nroad\u202e"), "{text}");
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn sorted_pages_continue_and_a_pinned_run_is_found() {
    let monitor = monitor();
    let ids: Vec<_> = (1..=3).map(|at| walk("api_sorted", at).unwrap().to_string()).collect();
    let path = "runs?agent=api_sorted&sort=duration&limit=2";
    let first = json(&monitor, path);
    let second = json(&monitor, &format!("{path}&cursor={}", first["cursor"].as_str().unwrap()));
    let pages: Vec<_> =
        [&first, &second].into_iter().flat_map(|page| page["runs"].as_array().unwrap()).collect();
    let durations: Vec<_> = pages.iter().map(|run| run["duration_us"].as_u64().unwrap()).collect();
    assert!(durations.is_sorted_by(|a, b| a >= b), "{durations:?}");
    let mut found: Vec<_> = pages.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
    found.sort();
    let mut expected = ids.clone();
    expected.sort();
    assert_eq!((found, &second["cursor"]), (expected, &Value::Null));

    let change = |name: &str| {
        let path = format!("/monitor/api/v1/runs/{}/{name}", ids[1]);
        send(&monitor, "POST", "host: localhost\r\ncontent-length: 0\r\n", &path)
    };
    let pinned = || json(&monitor, "runs?agent=api_sorted&pinned=true")["runs"].as_array().unwrap().len();
    assert_eq!(change("pin"), (200, "{\"pinned\":true}".to_owned()));
    assert_eq!(pinned(), 1);
    assert_eq!(change("unpin"), (200, "{\"pinned\":false}".to_owned()));
    assert_eq!(pinned(), 0);
}

#[test]
fn a_text_is_found_in_the_errors_of_steps() {
    let monitor = monitor();
    walk("api_search", 0).unwrap_err();
    walk("api_search", 1).unwrap();
    let found = |text: &str| {
        let path = format!("runs?agent=api_search&q={text}");
        json(&monitor, &path)["runs"].as_array().unwrap().len()
    };
    assert_eq!((found("NO%0AROAD"), found("nowhere"), found("")), (1, 0, 2));
}

#[test]
fn about_and_health_say_what_the_process_knows() {
    let monitor = monitor();
    let about = json(&monitor, "about");
    let [kept, evicted, ended] = ["kept", "evicted", "ended"].map(|name| about[name].as_u64().unwrap());
    assert_eq!(kept + evicted, ended);
    assert_eq!(about["memory"], 16 << 20);
    assert_eq!(json(&monitor, "health")["status"], "ready");
    assert_eq!(ask(&monitor, "health?format=text"), (200, "ready check passed\n".to_owned()));
}

#[test]
fn bad_requests_get_a_reason_in_json() {
    let monitor = monitor();
    let unknown = "0123456789abcdef0123456789abcdef";
    for (path, status, reason) in [
        ("runs?limit=0", 400, "`limit=0`: expected 1 to 1000"),
        ("runs?limit=-1", 400, "`limit=-1`: expected 1 to 1000"),
        (
            "runs?status=good",
            400,
            "`status=good`: expected running, failed, success, error, panic or cancelled",
        ),
        ("runs?cursor=yesterday", 400, "`cursor=yesterday`: expected the `cursor` of an earlier answer"),
        ("runs?min_ms=x", 400, "`min_ms=x`: expected a number of milliseconds"),
        ("runs?format=xml", 400, "`format=xml`: expected json or text"),
        (
            "runs?sort=size",
            400,
            "`sort=size`: expected started, duration, steps, failed_steps, retries, tokens or cost",
        ),
        ("runs?min_cost=-1", 400, "`min_cost=-1`: expected a number of US dollars, such as 0.05"),
        ("runs?pinned=yes", 400, "`pinned=yes`: expected true or false"),
        ("runs?cursor=1", 400, "the cursor is of another process; begin without one"),
        ("runs?status=running&cursor=1", 400, "runs that go on have no cursor; ask for a larger limit"),
        ("history?range=61", 400, "`range=61`: expected 60, 300, 900 or 3600"),
        ("logs?level=loud", 400, "`level=loud`: expected error, warn, info, debug or trace"),
        ("logs?run=7", 400, "`run=7`: expected a run id of 32 hexadecimal digits"),
        ("logs?limit=2001", 400, "`limit=2001`: expected 1 to 2000"),
        ("calls/skill/api_step?decade=7", 400, "`decade=7`: expected 0 to 6"),
        ("calls/skill/api_step?outcome=good", 400, "`outcome=good`: expected failed or cancelled"),
        ("calls/tool/x", 404, "`tool` is no kind of calls; there are agent, skill, model, query and route"),
        ("calls/skill/api_never", 404, "no skill `api_never` has been called; `calls` has all names"),
        ("now?agent=x", 400, "`agent` is no parameter here; there are limit, format"),
        ("runs/7", 400, "`7` is not a run id; a run id has 32 hexadecimal digits, not all of them 0"),
        (
            &format!("runs/{unknown}"),
            404,
            &format!(
                "run {unknown} is not kept; of each agent, the newest, failed, slow, dear and pinned runs are"
            ),
        ),
        (
            "nothing",
            404,
            "no such route; there are now, history, runs, runs/{id}, calls, calls/{kind}/{id}, models, health, logs, \
             about, schema and, with a live page, stream, instance and instances below /monitor/api/v1",
        ),
    ] {
        let (got, body) = ask(&monitor, path);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((got, body["error"].as_str().unwrap()), (status, reason), "{path}");
    }
}

#[test]
fn every_route_is_guarded() {
    runs();
    let open = Monitor::builder().admin_port(0).build().unwrap();
    let guarded = Monitor::builder().admin_port(0).bearer_token("s3cret").build().unwrap();
    let others = Monitor::builder().admin_address(([0, 0, 0, 0], 0)).build().unwrap();
    let routes = [
        "now",
        "history",
        "runs",
        "runs/7",
        "calls",
        "calls/skill/x",
        "models",
        "health",
        "logs",
        "about",
        "schema",
        "nothing",
    ];
    for path in routes.map(|path| format!("/monitor/api/v1/{path}")) {
        let status = |monitor, head| ask_as(monitor, head, &path).0;
        assert_eq!(status(&open, "host: evil.example\r\n"), 421, "{path}");
        assert_eq!(status(&open, "host: localhost\r\nsec-fetch-site: cross-site\r\n"), 403, "{path}");
        assert_eq!(status(&guarded, "host: localhost\r\n"), 401, "{path}");
        assert_eq!(send(&open, "POST", "host: localhost\r\ncontent-length: 0\r\n", &path).0, 405, "{path}");
        assert_eq!(status(&others, "host: 127.0.0.1\r\n"), 403, "{path}");
    }
    for path in ["runs/7/pin", "runs/7/unpin"].map(|path| format!("/monitor/api/v1/{path}")) {
        let post =
            |monitor, head: &str| send(monitor, "POST", &format!("{head}content-length: 0\r\n"), &path).0;
        assert_eq!(post(&open, "host: evil.example\r\n"), 421, "{path}");
        assert_eq!(post(&open, "host: localhost\r\nsec-fetch-site: same-site\r\n"), 403, "{path}");
        assert_eq!(post(&guarded, "host: localhost\r\n"), 401, "{path}");
        assert_eq!(ask_as(&open, "host: localhost\r\n", &path).0, 405, "{path}");
    }
    let head = "host: localhost\r\nauthorization: Bearer s3cret\r\n";
    assert_eq!(ask_as(&guarded, head, "/monitor/api/v1/now").0, 200);
    assert_eq!(ask_as(&others, "host: evil.example\r\n", "/health/live").0, 200);
}
