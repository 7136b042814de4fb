//! Logging as a process has it: initialised once, to its standard output, set by its environment. Each scenario runs
//! in a process of its own.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, BufRead as _, BufReader, Write};
use std::panic;
use std::process::{Command, exit};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use monitor_runtime::http::HttpLayer;
use monitor_runtime::logging::{self, Format, LogGuard, Logging, WhenFull};
use monitor_runtime::{context, metrics, track_agent, track_skill};
use serde_json::json;
use tower::ServiceExt as _;
use tracing::{debug, debug_span, error, info, info_span, warn};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::alone;
use crate::support::log_line::LogLine;
use crate::support::subprocess::{self, Subprocess, release, run, total, wait_for_parent, written};

const PART: Subprocess = Subprocess::new(module_path!(), "part");

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn part() {
    let Some(name) = subprocess::part() else { return };
    match name.as_str() {
        "lines" => lines(),
        "many" => many(),
        "flushed" => flushed(),
        "after_guard" => after_guard(),
        "levels" => levels(),
        "twice" => twice(),
        "beside" => beside(),
        "failed_first" => failed_first(),
        "log_crate" => log_crate(),
        "key_values" => key_values(),
        "log_flushed" => log_flushed(),
        "other_logger" => other_logger(),
        name if name.starts_with("panic ") => panics(&name["panic ".len()..]),
        "composed" => composed(),
        "quiet" => quiet(),
        "quiet_layer" => quiet_layer(),
        "tasks" => tasks(),
        "nested" => nested(),
        "traced" => traced(),
        "captured" => captured(),
        "talkative_writer" => talkative_writer(),
        _ => panic!("unknown scenario {name}"),
    }
    exit(0);
}

fn log(command: &mut Command) -> Vec<LogLine> {
    LogLine::read_all(written(&run(command)))
}

fn events(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text("event")).collect()
}

fn start() -> LogGuard {
    logging::init().unwrap()
}

// The contents of a line.

fn lines() {
    let guard = start();
    let _request = info_span!("request", request_id = "r-1", user = "u").entered();
    let _agent = info_span!("planner", len = 3, agent_id = "planner").entered();
    let _skill = info_span!("search", skill_id = "web_search").entered();
    let _query = info_span!("find", query = "find_user", user = "inner").entered();
    let error = io::Error::other(fmt::Error);
    error!(error = &error as &dyn Error, agent_id = 7, level = "mine", "failed\n{}", '"');
    info!("plain");
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn a_line_has_its_fields_in_the_order_of_the_contract() {
    let before = SystemTime::now();
    let output = run(&mut PART.command("lines"));
    let lines = LogLine::read_all(written(&output));
    let line = &lines[0];
    assert_eq!(line.text("level"), "error");
    assert_eq!(line.text("logger"), "subprocesses::logging");
    assert_eq!(line.text("event"), "failed\n\"");
    assert_eq!(
        line.fields(),
        [
            ("request_id", &json!("r-1")),
            ("agent_id", &json!("planner")),
            ("skill_id", &json!("web_search")),
            ("query", &json!("find_user")),
            ("len", &json!(3)),
            ("user", &json!("inner")),
            ("error", &json!("an error occurred when formatting an argument")),
            ("field.agent_id", &json!(7)),
            ("field.level", &json!("mine")),
        ]
    );
    assert_eq!(lines[1].names().len(), 10, "an event's own fields are gone with it: {}", lines[1]);
    assert_eq!(lines.len(), 2);

    let between = |text: &str| *timestamp(before) <= *text && *text <= *timestamp(SystemTime::now());
    assert!(lines.iter().all(|line| between(line.text("timestamp"))), "{lines:?}");
}

/// A second implementation of the time stamp: `date` of the operating system.
fn timestamp(time: SystemTime) -> String {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let at = format!("@{}", since_1970.as_secs());
    let date = Command::new("date").args(["-u", "-d", &at, "+%Y-%m-%dT%H:%M:%S"]).output().unwrap();
    format!("{}.{:06}Z", String::from_utf8(date.stdout).unwrap().trim(), since_1970.subsec_micros())
}

#[test]
fn every_line_is_counted_by_its_level() {
    let scrape = String::from_utf8(run(&mut PART.command("lines")).stderr).unwrap();
    assert!(scrape.contains("log_events_total{level=\"error\"} 1\n"), "{scrape}");
    assert!(scrape.contains("log_events_total{level=\"info\"} 1\n"), "{scrape}");
    assert!(scrape.contains("log_events_total{level=\"warn\"} 0\n"), "{scrape}");
    assert_eq!(total(&scrape, "log_events_written_total"), 2);
    assert!(scrape.contains("log_events_dropped_total 0\n"), "{scrape}");
}

#[test]
fn a_line_for_people_has_the_same_in_one_readable_line() {
    let output = run(PART.command("lines").env("LOG_FORMAT", "pretty"));
    let lines: Vec<_> = written(&output).lines().map(|line| line.split_once("Z ").unwrap().1).collect();
    assert_eq!(
        lines,
        [
            "ERROR subprocesses::logging: failed\\n\" request_id=r-1 agent_id=planner skill_id=web_search query=find_user len=3 \
             user=inner error=\"an error occurred when formatting an argument\" field.agent_id=7 field.level=mine",
            " INFO subprocesses::logging: plain request_id=r-1 agent_id=planner skill_id=web_search query=find_user len=3 user=inner",
        ]
    );
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn traced() {
    let guard = start();
    let answer = axum::routing::get(async || {
        let _inner = info_span!("inner").entered();
        let mut headers = http::HeaderMap::new();
        context::inject(&mut headers);
        info!(sent = headers.get("traceparent").map(|sent| sent.to_str().unwrap()), "calling");
    });
    let app = axum::Router::new().route("/", answer).layer(HttpLayer::new());
    let request = |traceparent: Option<&str>| {
        let request = http::Request::get("/").header("x-request-id", "r-1");
        let request =
            traceparent.into_iter().fold(request, |request, value| request.header("traceparent", value));
        request.body(axum::body::Body::empty()).unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for traceparent in [Some(TRACEPARENT), None] {
        runtime.block_on(app.clone().oneshot(request(traceparent))).unwrap();
    }
    assert!(context::trace_context().is_none());
    drop(guard);
}

#[test]
fn a_process_propagates_and_logs_the_trace_of_a_request() {
    let lines = log(&mut PART.command("traced"));
    assert_eq!(events(&lines), ["calling", "calling"]);
    assert_eq!(lines[0].names()[4..], ["request_id", "method", "endpoint", "trace_id", "span_id", "sent"]);
    let names = ["request_id", "trace_id", "span_id", "sent"];
    let said: Vec<_> = names.iter().map(|name| lines[0].get(name).and_then(|value| value.as_str())).collect();
    assert_eq!(said, ["r-1", &TRACEPARENT[3..35], &TRACEPARENT[36..52], TRACEPARENT].map(Some));
    assert_eq!(
        lines[1].names()[4..],
        ["request_id", "method", "endpoint"],
        "the next request uses the same places and is in no trace"
    );
}

fn captured() {
    fn log_here() {
        info!("from here");
    }
    let lines = monitor_runtime::testing::capture_logs(|| {
        // A thread on which nobody listens meets the callsite first.
        thread::spawn(log_here).join().unwrap();
        log_here();
    });
    let _guard = start();
    info!(captured = lines.len(), "captured");
}

#[test]
fn lines_are_captured_after_a_thread_without_a_subscriber() {
    let lines = log(&mut PART.command("captured"));
    assert_eq!(lines[0].get("captured"), Some(&json!(1)));
}

fn nested() {
    /// Logs, and opens a span that logs, while it is being formatted.
    struct Talkative;

    impl Display for Talkative {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            info_span!("inside", inside = 1).in_scope(|| info!("from inside"));
            f.write_str("shown")
        }
    }

    let _guard = start();
    info!(value = %Talkative, "event");
    let span = info_span!("span", value = %Talkative, later = tracing::field::Empty).entered();
    span.record("later", tracing::field::display(Talkative));
    context::bind("bound", tracing::field::display(Talkative));
    info!("last");
}

#[test]
fn a_value_that_logs_while_formatted_mixes_no_lines() {
    let lines = log(&mut PART.command("nested"));
    assert_eq!(events(&lines), ["from inside", "event", "from inside", "from inside", "from inside", "last"]);
    assert_eq!(lines[1].fields(), [("value", &json!("shown"))]);
    let shown = &json!("shown");
    assert_eq!(lines[5].fields(), [("value", shown), ("later", shown), ("bound", shown)]);
    assert_eq!(lines[3].fields(), [("value", shown), ("inside", &json!(1))]);
}

fn log_crate() {
    let _guard = Logging::builder().filter("info,quiet=error").init().unwrap();
    let _span = info_span!("request", request_id = "r-1").entered();
    log::warn!(target: "driver::pool", "slow {}", "query");
    log::warn!(target: "quiet", "below the level of its target");
    log::debug!("below the level");
}

#[test]
fn records_of_the_log_crate_keep_their_target_and_level() {
    let lines = log(&mut PART.command("log_crate"));
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].text("level"), "warn");
    assert_eq!(lines[0].text("logger"), "driver::pool");
    assert_eq!(lines[0].text("event"), "slow query");
    assert_eq!(lines[0].fields(), [("request_id", &json!("r-1"))]);
    let below = [("LOG_LEVEL", "error"), ("LOG_LEVEL", "off")];
    assert!(below.iter().all(|&(name, level)| log(PART.command("log_crate").env(name, level)).is_empty()));
}

/// Values that a record may have besides its message.
fn key_values() {
    let guard = Logging::builder().redact(["password"]).max_value_bytes(64).init().unwrap();
    let _span = info_span!("request", request_id = "r-1", user_id = 1).entered();
    log::info!(user_id = 17, city = "Ulm", password = "hunter2"; "signed in");
    let error = io::Error::other(Failed(fmt::Error));
    let (shown, debugged, none) = (5, "x", None::<u8>);
    log::info!(
        request_id:% = shown, debugged:?, none:?, error:err = error, event = "taken", level = 'c', twice = 1, twice = 2,
        "log.file" = "free", message = "m";
        "kinds"
    );
    log::info!(
        least = i64::MIN, most = u64::MAX, wide = i128::MIN, nan = f64::NAN, half = 0.5, yes = true, empty = none,
        r#type = "raw";
        "numbers"
    );
    log::info!(text = "x".repeat(70), at:% = Talks; "long");
    log::warn!(n = 1; "of {}", "two");
    log::debug!(at:% = Unshown; "below the level");
    drop(guard);
    eprint!("{}", metrics::render());
}

/// An error with a source.
#[derive(Debug)]
struct Failed(fmt::Error);

impl Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not saved")
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// A value that logs while it is formatted.
struct Talks;

impl Display for Talks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        log::info!(inside = 1; "in a line");
        f.write_str("talked")
    }
}

struct Unshown;

impl Display for Unshown {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("formatted for a record that is not logged")
    }
}

#[test]
fn key_values_of_the_log_crate_are_fields_of_their_line() {
    let output = run(&mut PART.command("key_values"));
    let lines = LogLine::read_all(written(&output));
    let bound = |rest: &[(&str, serde_json::Value)]| {
        let around = [("request_id", json!("r-1")), ("user_id", json!(1))];
        around
            .into_iter()
            .chain(rest.iter().cloned())
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Vec<_>>()
    };
    let shown = |line: &LogLine| line.0[4..].to_vec();
    assert_eq!(events(&lines), ["signed in", "kinds", "numbers", "in a line", "long", "of two"]);
    assert_eq!(
        shown(&lines[0]),
        bound(&[("field.user_id", json!(17)), ("city", json!("Ulm")), ("password", json!("[redacted]"))])
    );
    assert_eq!(
        shown(&lines[1]),
        bound(&[
            ("field.request_id", json!("5")),
            ("debugged", json!("\"x\"")),
            ("none", json!("None")),
            ("error", json!("not saved")),
            ("error.chain", json!("an error occurred when formatting an argument")),
            ("field.event", json!("taken")),
            ("field.level", json!("c")),
            ("twice", json!(1)),
            ("field.twice", json!(2)),
            ("log.file", json!("free")),
            ("message", json!("m")),
        ])
    );
    assert_eq!(
        shown(&lines[2]),
        bound(&[
            ("least", json!(i64::MIN)),
            ("most", json!(u64::MAX)),
            ("wide", json!(i128::MIN.to_string())),
            ("nan", json!("NaN")),
            ("half", json!(0.5)),
            ("yes", json!(true)),
            ("type", json!("raw")),
        ])
    );
    assert_eq!(shown(&lines[3]), bound(&[("inside", json!(1))]));
    let cut = format!("{}…[truncated 6 bytes]", "x".repeat(64));
    assert_eq!(shown(&lines[4]), bound(&[("text", json!(cut)), ("at", json!("talked"))]));
    assert_eq!(total(&String::from_utf8(output.stderr).unwrap(), "log_events_total"), 6);
}

#[test]
fn key_values_of_the_log_crate_are_on_a_line_for_people() {
    let output = run(PART.command("key_values").env("LOG_FORMAT", "pretty"));
    assert!(
        written(&output)
            .contains("signed in request_id=r-1 user_id=1 field.user_id=17 city=Ulm password=[redacted]\n")
    );
}

fn log_flushed() {
    let _guard = start();
    log::info!("flushed");
    log::logger().flush();
    exit(0);
}

#[test]
fn the_flush_of_the_log_crate_writes_what_waits() {
    assert_eq!(events(&log(&mut PART.command("log_flushed"))), ["flushed"]);
}

/// A logger that was there before.
struct Kept;

impl log::Log for Kept {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("kept: {}", record.args());
    }

    fn flush(&self) {}
}

fn other_logger() {
    log::set_logger(&Kept).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let _guard = start();
    log::debug!("mine");
    info!("ours");
}

#[test]
fn an_earlier_logger_keeps_its_records_and_its_level() {
    let output = run(&mut PART.command("other_logger"));
    let lines = LogLine::read_all(written(&output));
    assert_eq!(events(&lines), ["the `log` crate has a logger already; its records stay there", "ours"]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "kept: mine\n");
}

/// The lines of a part of the program in which `tracing` makes records of its own events and spans.
fn with_copies(part: &str, level: &str) -> Vec<LogLine> {
    let output = run(alone::alone(part).env("LOG_LEVEL", level));
    let (text, scrape) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!text.contains("hunter2"), "{text}");
    let lines = LogLine::read_all(&text);
    assert_eq!(total(&scrape, "log_events_total"), lines.len() as u64, "{text}");
    lines
}

#[test]
fn an_event_copied_to_the_log_crate_is_one_redacted_line() {
    for (part, level) in [("init", "info"), ("init", "trace"), ("layer", "info"), ("layer", "trace")] {
        let lines = with_copies(part, level);
        let expected = ["planned", "log event", "said by log", "said by the log of tracing", "made by hand"];
        assert_eq!(events(&lines), expected, "{part} at {level}");
        assert_eq!(lines[0].get("steps"), Some(&json!(3)));
        let is_taken_in = part == "init";
        assert_eq!(
            lines[3].get("tries").is_some(),
            is_taken_in,
            "{part}: another crate's logger leaves key-values out"
        );
    }
}

#[test]
fn serialised_key_values_keep_the_types_of_a_flat_line() {
    let lines = LogLine::read_all(&String::from_utf8(run(&mut alone::alone("serialised")).stdout).unwrap());
    let fields = [
        ("number", &json!(7)),
        ("text", &json!("t")),
        ("nested", &json!("{\"a\": [1, 2]}")),
        ("password", &json!("[redacted]")),
    ];
    assert_eq!(lines[0].fields(), fields);
}

// The line about a panic.

/// Panics with another hook around ours, which may end the process.
fn panics(end: &str) {
    let exits = |_: &panic::PanicHookInfo<'_>| exit(7);
    match end {
        "exit before" => panic::set_hook(Box::new(exits)),
        "abort before" => panic::set_hook(Box::new(|_| std::process::abort())),
        "panic before" => panic::set_hook(Box::new(|_| panic!("in a hook"))),
        _ => {}
    }
    let blocks = if end == "exit before" { WhenFull::Block } else { WhenFull::Drop };
    let _guard = Logging::builder().when_full(blocks).init().unwrap();
    logging::install_panic_hook();
    let ours = panic::take_hook();
    match end {
        "exit after" => panic::set_hook(Box::new(move |panic| {
            ours(panic);
            exits(panic);
        })),
        "abort after" => panic::set_hook(Box::new(move |panic| {
            ours(panic);
            std::process::abort();
        })),
        _ => panic::set_hook(ours),
    }
    (0..5_000).for_each(|number| info!(number, "before"));
    plan_and_panic();
}

#[track_agent("planner")]
fn plan_and_panic() {
    panic!("boom");
}

/// The lines that a process has written whose panic ended it.
fn last_words(command: &mut Command) -> Vec<LogLine> {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    LogLine::read_all(text.split_once(subprocess::BEGIN).map_or(&*text, |(_, lines)| lines))
}

fn assert_says_why(lines: &[LogLine]) {
    let panicked: Vec<_> = lines.iter().filter(|line| line.text("event") == "panicked").collect();
    assert_eq!(panicked.len(), 1, "{panicked:?}");
    assert_eq!((panicked[0].text("error"), panicked[0].text("agent_id")), ("boom", "planner"));
}

#[test]
fn the_line_of_a_panic_is_written_despite_other_hooks() {
    for end in ["exit before", "abort before", "panic before", "exit after", "abort after"] {
        let lines = last_words(&mut PART.command(&format!("panic {end}")));
        assert_says_why(&lines);
        assert_eq!(lines.iter().filter(|line| line.text("event") == "before").count(), 5_000, "{end}");
    }
}

#[test]
fn the_line_about_a_panic_is_written_where_panics_abort() {
    for part in ["abort", "exit"] {
        let lines = last_words(&mut alone::alone(part));
        assert_eq!(lines[0].text("event"), "about to panic");
        assert_says_why(&lines);
    }
}

fn tasks() {
    let _guard = start();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let _request = info_span!("request", request_id = number).entered();
                context::spawn(async move {
                    context::bind("bound", number);
                    for _ in 0..20 {
                        info!(number, "in task");
                        tokio::time::sleep(Duration::from_micros(100)).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        info!("outside");
    });
}

#[test]
fn spawned_tasks_keep_their_context_on_every_thread() {
    let lines = log(&mut PART.command("tasks"));
    let (tasks, outside) = lines.split_at(160);
    for line in tasks {
        assert_eq!(line.names()[4..], ["request_id", "bound", "number"]);
        assert_eq!(line.get("request_id"), line.get("number"));
        assert_eq!(line.get("bound"), line.get("number"));
    }
    assert_eq!(events(outside), ["outside"]);
    assert_eq!(outside[0].fields(), []);
}

// Which lines there are.

fn levels() {
    let _guard = Logging::builder().filter("debug").init().unwrap();
    error!(target: "other::module", "other error");
    info!(target: "other::module", "other info");
    warn!("own warn");
    info!("own info");
    debug!("own debug");
}

#[test]
fn log_level_filters_by_target_and_overrides_the_code() {
    let expect = |variables: &[(&str, &str)], expected: &[&str]| {
        let lines = log(PART.command("levels").envs(variables.iter().copied()));
        assert_eq!(events(&lines), expected, "{variables:?}");
    };
    expect(&[], &["other error", "other info", "own warn", "own info", "own debug"]);
    expect(&[("LOG_LEVEL", "warn")], &["other error", "own warn"]);
    expect(&[("LOG_LEVEL", "WARN,subprocesses::logging=info")], &["other error", "own warn", "own info"]);
    expect(&[("LOG_LEVEL", "other=off")], &["own warn", "own info"]);
    expect(&[("LOG_LEVEL", "off")], &[]);
    expect(&[("LOG_LEVEL", "error"), ("RUST_LOG", "trace")], &["other error"]);
    let rust_log = [("RUST_LOG", "subprocesses::logging=debug,other=error")];
    expect(&rust_log, &["other error", "own warn", "own info", "own debug"]);
}

fn composed() {
    let sink = io::sink();
    let (quiet, _quiet) = Logging::builder().filter("off").writer(sink).layer().unwrap();
    let (debug, _debug) = Logging::builder().filter("debug").layer().unwrap();
    let (pretty, _pretty) =
        Logging::builder().filter("warn").format(Format::Pretty).writer(io::stderr()).layer().unwrap();
    let subscriber = tracing_subscriber::registry().with(quiet).with(debug).with(pretty);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let _request = info_span!("request", request_id = "r-1").entered();
    debug!("detail");
    warn!("trouble");
}

#[test]
fn a_layer_filters_for_itself_and_leaves_its_neighbours_alone() {
    let output = run(&mut PART.command("composed"));
    let lines = LogLine::read_all(written(&output));
    assert_eq!(events(&lines), ["detail", "trouble"]);
    assert!(lines.iter().all(|line| line.text("request_id") == "r-1"));
    let pretty = String::from_utf8(output.stderr).unwrap();
    assert!(
        pretty.contains(" WARN subprocesses::logging: trouble") && !pretty.contains("detail"),
        "{pretty}"
    );
}

#[track_agent("planner")]
fn plan() -> io::Result<()> {
    context::bind("user_id", 17);
    info!("below the level");
    search()
}

#[track_skill("web_search", fields(len = 3))]
fn search() -> io::Result<()> {
    let _detail = debug_span!("detail", detail = true).entered();
    context::bind("attempt", 2);
    log::info!("below the level");
    warn!("slow");
    Err(io::ErrorKind::TimedOut.into())
}

/// One request with an agent that fails, and the counters after it.
fn ask() {
    let app = Router::new().route("/", get(async || plan().is_err().to_string())).layer(HttpLayer::new());
    let request = Request::get("/").header("x-request-id", "r-1").body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(app.oneshot(request)).unwrap().status(), 200);
    eprint!("{}", metrics::render());
}

fn quiet() {
    let _guard = Logging::builder().filter("warn").init().unwrap();
    ask();
}

fn quiet_layer() {
    let (layer, _guard) = Logging::builder().filter("warn").layer().unwrap();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    ask();
}

#[test]
fn a_quiet_log_still_says_where_its_lines_were_written() {
    for scenario in ["quiet", "quiet_layer"] {
        let output = run(&mut PART.command(scenario));
        let lines = LogLine::read_all(written(&output));
        assert_eq!(events(&lines), ["slow", "skill failed"], "{scenario}");
        for line in &lines {
            assert_eq!(
                line.fields()[..8],
                [
                    ("request_id", &json!("r-1")),
                    ("method", &json!("GET")),
                    ("endpoint", &json!("/")),
                    ("agent_id", &json!("planner")),
                    ("skill_id", &json!("web_search")),
                    ("user_id", &json!(17)),
                    ("len", &json!(3)),
                    ("attempt", &json!(2)),
                ],
                "{scenario}"
            );
            assert!(line.get("detail").is_none(), "{scenario}: a span that is no context");
        }
        let scrape = String::from_utf8(output.stderr).unwrap();
        assert_eq!(total(&scrape, "log_events_total"), 2, "{scenario} counts what it does not write");
    }
}

#[test]
fn logging_that_is_off_writes_nothing_at_all() {
    for scenario in ["quiet", "quiet_layer"] {
        let output = run(PART.command(scenario).env("LOG_LEVEL", "off"));
        assert_eq!(written(&output), "");
        assert_eq!(total(&String::from_utf8(output.stderr).unwrap(), "log_events_total"), 0);
    }
}

// How it is started.

#[test]
fn a_bad_variable_is_refused_with_its_accepted_values() {
    let levels = "expected a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or levels by target as in \
                  `info,sqlx=warn`";
    let cases = [
        ("LOG_LEVEL", "verbose", format!("LOG_LEVEL is `verbose`, where `verbose` is no level; {levels}")),
        (
            "RUST_LOG",
            "a=loud",
            format!("RUST_LOG is `a=loud`, where `loud` in `a=loud` is no level; {levels}"),
        ),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is `xml`; expected `json` or `pretty`".to_owned()),
    ];
    for (variable, value, message) in cases {
        let output = run(PART.command("failed_first").env(variable, value));
        let first = String::from_utf8(output.stderr).unwrap();
        assert_eq!(first.lines().next(), Some(message.as_str()));
    }
}

fn failed_first() {
    if let Err(error) = logging::init() {
        eprintln!("{error}");
        return;
    }
    unreachable!("the variable is wrong");
}

fn twice() {
    assert!(Logging::builder().filter("loud").init().is_err());
    assert!(Logging::builder().queue_bytes(0).init().is_err());
    let _guard = start();
    info!("from the first");
    let second = Logging::builder().writer(io::stderr()).init().unwrap_err();
    info!(error = &second as &dyn Error, "second");
}

#[test]
fn a_second_start_fails_with_advice_and_changes_nothing() {
    let lines = log(&mut PART.command("twice"));
    assert_eq!(events(&lines), ["from the first", "second"]);
    let error = lines[1].text("error");
    assert!(
        error.starts_with("logging is initialised already; keep the guard of the first `init`"),
        "{error}"
    );
    assert!(error.contains("`Logging::builder().layer()`"), "{error}");
}

fn beside() {
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    eprintln!("{}", logging::init().unwrap_err());
}

#[test]
fn a_subscriber_that_is_there_already_is_named_as_the_reason() {
    let error = String::from_utf8(run(&mut PART.command("beside")).stderr).unwrap();
    assert!(
        error
            .starts_with("another tracing subscriber is installed already; add `Logging::builder().layer()`"),
        "{error}"
    );
}

// How it ends.

fn many() {
    let guard = start();
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (0..5_000).for_each(|number| info!(thread, number, "one of many")));
        }
    });
    drop(guard);
}

#[test]
fn dropping_the_guard_writes_every_line_in_thread_order() {
    let lines = log(&mut PART.command("many"));
    assert_eq!(lines.len(), 20_000);
    for thread in 0..4 {
        let numbers = lines.iter().filter(|line| line.get("thread") == Some(&json!(thread)));
        assert!(
            numbers
                .map(|line| line.get("number").unwrap())
                .eq((0..5_000).map(|number| json!(number)).collect::<Vec<_>>().iter())
        );
    }
}

fn flushed() {
    let guard = start();
    (0..1_000).for_each(|number| info!(number, "before"));
    assert!(guard.flush());
    exit(0);
}

#[test]
fn a_flush_writes_what_was_emitted_before_it() {
    assert_eq!(log(&mut PART.command("flushed")).len(), 1_000);
}

fn after_guard() {
    drop(start());
    info!("late");
    wait_for_parent();
}

#[test]
fn lines_after_the_guard_are_written_while_the_process_lives() {
    let mut child = PART.spawn("after_guard");
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("late") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the process lives");
    }
    release(&mut child);
    assert!(child.wait().unwrap().success());
}

fn talkative_writer() {
    /// Logs about every write.
    struct Talkative(mpsc::Sender<Vec<u8>>);

    impl Write for Talkative {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            info!(bytes = bytes.len(), "written");
            self.0.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (sender, written) = mpsc::channel();
    let guard = Logging::builder().writer(Talkative(sender)).init().unwrap();
    info!("first");
    assert!(guard.flush());
    info!("second");
    drop(guard);
    for bytes in written.try_iter() {
        io::stdout().write_all(&bytes).unwrap();
    }
}

#[test]
fn a_writer_that_logs_does_not_feed_itself() {
    assert_eq!(events(&log(&mut PART.command("talkative_writer"))), ["first", "second"]);
}
