//! Every event is accounted for exactly once, with any output: written, dropped or suppressed. Each part
//! logs in a process of its own, into a real pipe, file or socket.
#![cfg(unix)]

use std::fmt::{self, Display};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio, exit};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

use monitor_runtime::logging::{self, LogGuard, Logging, WhenFull};
use monitor_runtime::metrics;
use serde_json::{Value, json};
use tracing::{error, info, info_span};

use crate::support::log_line::LogLine;
use crate::support::subprocess::{
    self, BEGIN, Subprocess, own_mounts, release, run, total, wait_for, wait_for_parent, written,
};

const PART: Subprocess = Subprocess::new(module_path!(), "part");

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn part() {
    let Some(name) = subprocess::part() else { return };
    match name.as_str() {
        "stalled" => stalled(),
        "closed" => closed(),
        "slow" => slow(),
        "headed" => headed(),
        "full" => full(),
        "filled" => filled(),
        "socket" => socket(),
        "blocking" => blocking(),
        "blocking_closed" => blocking_closed(),
        "blocking_oneself" => blocking_oneself(),
        "too_deep" => too_deep(),
        "limited" => limited(),
        "limited_and_quiet" => limited_and_quiet(),
        _ => panic!("unknown scenario {name}"),
    }
    exit(0);
}

/// Small enough to be full at once.
const QUEUE: usize = 4 * 1_024;

/// The identity that every scenario ends with.
#[track_caller]
fn assert_accounted_for(scrape: &str) {
    let total = |name| total(scrape, name);
    let (written, dropped) = (total("log_events_written_total"), total("log_events_dropped_total"));
    assert_eq!(total("log_events_total"), written + dropped, "{written} written, {dropped} dropped");
}

/// The count in the report of dropped lines, and the other lines.
fn apart(lines: &[LogLine]) -> (u64, Vec<&LogLine>) {
    let (reports, own): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.text("logger") == "monitor_runtime::logging");
    assert!(reports.iter().all(|report| report.text("event") == "log lines dropped"));
    let dropped = |report: &&LogLine| report.get("dropped").and_then(Value::as_u64).unwrap();
    (reports.iter().map(dropped).sum(), own)
}

/// Logs from four threads at once.
fn log_from_threads() {
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (0..2_000).for_each(|number| info!(thread, number, "one of many")));
        }
    });
}

const FROM_THREADS: u64 = 8_000;

/// Whether the lines of each thread are in their order.
fn are_in_order(lines: &[&LogLine]) -> bool {
    (0..4).all(|thread| {
        let own = lines.iter().filter(|line| line.get("thread") == Some(&json!(thread)));
        own.map(|line| line.get("number").and_then(Value::as_u64)).is_sorted()
    })
}

/// Reads to the end, a little at a time.
fn read_slowly(mut from: impl Read) -> String {
    let (mut text, mut piece) = (Vec::new(), [0; 64]);
    loop {
        match from.read(&mut piece).unwrap() {
            0 => return String::from_utf8(text).unwrap(),
            read => text.extend_from_slice(&piece[..read]),
        }
    }
}

/// Lets a spawned scenario run to its end with a reader that is slow; its lines and its scrape.
fn slowly_read(scenario: &str) -> (Vec<LogLine>, String) {
    let mut child = PART.spawn(scenario);
    let mut errors = child.stderr.take().unwrap();
    let scrape = thread::spawn(move || {
        let mut scrape = String::new();
        errors.read_to_string(&mut scrape).map(|_| scrape)
    });
    let text = read_slowly(child.stdout.take().unwrap());
    let scrape = scrape.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success(), "{scrape}");
    (LogLine::read_all(text.split_once(BEGIN).unwrap().1), scrape)
}

// Outputs that fail.

const EMITTED: u64 = 20_000;

fn stalled() {
    let guard = Logging::builder().queue_bytes(16 * 1_024).init().unwrap();
    (0..EMITTED).for_each(|number| info!(number, "one of too many"));
    eprintln!("emitted");
    wait_for_parent();
    guard.flush();
    info!("room again");
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn a_stalled_reader_costs_counted_lines_and_blocks_no_caller() {
    let mut child = PART.spawn("stalled");
    let mut errors = wait_for(&mut child, "emitted");
    release(&mut child);
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    let mut scrape = String::new();
    errors.read_to_string(&mut scrape).unwrap();
    assert!(child.wait().unwrap().success());

    let lines = LogLine::read_all(output.split_once(BEGIN).unwrap().1);
    let (reported, own) = apart(&lines);
    assert!(reported > 0);
    assert_eq!(own.len() as u64 + reported, EMITTED + 1);
    assert_eq!(own.last().unwrap().text("event"), "room again");
    assert_eq!(total(&scrape, "log_events_dropped_total"), reported);
    assert_eq!(total(&scrape, "log_events_written_total"), lines.len() as u64);
    assert_accounted_for(&scrape);
}

fn closed() {
    let guard = logging::init().unwrap();
    eprintln!("started");
    wait_for_parent();
    (0..EMITTED).for_each(|number| info!(number, "for nobody"));
    assert!(guard.flush());
    (0..EMITTED).for_each(|number| info!(number, "for nobody"));
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn a_closed_standard_output_ends_the_logging_and_nothing_else() {
    let mut child = PART.spawn("closed");
    let mut errors = wait_for(&mut child, "started");
    drop(child.stdout.take());
    release(&mut child);
    let mut scrape = String::new();
    errors.read_to_string(&mut scrape).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(total(&scrape, "log_events_total"), 2 * EMITTED);
    // A process that another test starts at this very moment has our end of the pipe until it is executed; that may
    // let a pipe's 64 KiB of lines through.
    let dropped = total(&scrape, "log_events_dropped_total");
    assert!((2 * EMITTED - 1_000..=2 * EMITTED).contains(&dropped), "{dropped}");
    assert_accounted_for(&scrape);
}

fn slow() {
    let guard = Logging::builder().queue_bytes(QUEUE).init().unwrap();
    log_from_threads();
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn a_slow_reader_gets_every_line_that_was_not_dropped() {
    let (lines, scrape) = slowly_read("slow");
    let (reported, own) = apart(&lines);
    assert!(are_in_order(&own));
    assert_eq!(own.len() as u64 + reported, FROM_THREADS);
    assert_eq!(total(&scrape, "log_events_written_total"), lines.len() as u64);
    assert_eq!(total(&scrape, "log_events_dropped_total"), reported);
    assert_accounted_for(&scrape);
}

/// A scenario in the place of `"$@"` in a line of a shell.
fn in_a_shell(line: &str, scenario: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", line, "sh"]);
    PART.command_by(shell, scenario)
}

fn headed() {
    let guard = logging::init().unwrap();
    while total(&metrics::render(), "log_events_dropped_total") == 0 {
        (0..100).for_each(|number| info!(number, "for whoever reads"));
        assert!(guard.flush());
    }
    (0..EMITTED).for_each(|number| info!(number, "for nobody"));
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn a_program_in_front_of_head_goes_on_when_head_has_seen_enough() {
    let output = run(&mut in_a_shell(r#""$@" | head -n 3"#, "headed"));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
    let scrape = String::from_utf8(output.stderr).unwrap();
    assert!(total(&scrape, "log_events_dropped_total") >= EMITTED, "{scrape}");
    assert_accounted_for(&scrape);
}

fn full() {
    let guard = logging::init().unwrap();
    for _ in 0..4 {
        log_from_threads();
        guard.flush();
    }
    drop(guard);
    eprint!("{}", metrics::render());
}

/// The file may be no larger than a few kilobytes, which is what a full disk looks like to who writes.
#[test]
fn a_full_file_holds_exactly_the_lines_counted_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log");
    let line = r#"trap "" XFSZ; ulimit -f 16; exec "$@" >"$LOG_FILE""#;
    let output = run(in_a_shell(line, "full").env("LOG_FILE", &file));
    let scrape = String::from_utf8(output.stderr).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let (lines, _torn) = text.split_once(BEGIN).unwrap().1.rsplit_once('\n').unwrap();
    let lines = LogLine::read_all(&format!("{lines}\n"));
    assert_eq!(total(&scrape, "log_events_written_total"), lines.len() as u64);
    assert!(total(&scrape, "log_events_dropped_total") > 0);
    assert_accounted_for(&scrape);
}

const FOLDER: &str = "MONITOR_TEST_FOLDER";

/// Its standard output is a file in a folder that has a small disk to itself.
fn filled() {
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let text = || fs::read_to_string(folder.join("log")).unwrap();
    let guard = logging::init().unwrap();
    let filler = folder.join("filler");
    let error = fs::write(&filler, vec![1; 1 << 20]).expect_err("the disk is smaller");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    for number in 0..30 {
        info!(number, text = "x".repeat(1_000), "on a full disk");
        assert!(guard.flush());
    }
    assert!(!text().ends_with('\n'), "the last line broke off where the disk ended");
    fs::remove_file(&filler).unwrap();
    assert!(guard.flush());
    assert!(text().ends_with('\n'), "a flush completes it");
    info!("with room again");
    assert!(guard.flush());
    let (text, scrape) = (text(), metrics::render());
    let lines = LogLine::read_all(text.split_once(BEGIN).unwrap().1);
    assert_eq!(lines.len() as u64, total(&scrape, "log_events_written_total"));
    assert!(total(&scrape, "log_events_dropped_total") > 0);
    assert_accounted_for(&scrape);
}

#[test]
fn a_line_cut_by_a_full_disk_is_completed_once_there_is_room() {
    let Some(mut unshare) = own_mounts() else {
        return println!("no disk may be mounted here; the file that cannot grow stands for a full one");
    };
    let folder = tempfile::tempdir().unwrap();
    let mount = r#"mount -t tmpfs -o size=256k tmpfs "$0" && exec "$@" >"$0/log""#;
    unshare.args(["sh", "-c", mount]).arg(folder.path());
    run(PART.command_by(unshare, "filled").env(FOLDER, folder.path()));
}

const SINK: &str = "MONITOR_TEST_SINK";

fn socket() {
    let sink = TcpStream::connect(env::var(SINK).unwrap()).unwrap();
    let guard = Logging::builder().writer(sink).queue_bytes(QUEUE).init().unwrap();
    log_from_threads();
    wait_for_parent();
    log_from_threads();
    drop(guard);
    eprint!("{}", metrics::render());
}

/// Runs the scenario `socket` against a peer, and gives its scrape.
fn with_peer(peer: impl FnOnce(TcpStream, &mut dyn FnMut()) + Send) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = PART.command("socket");
    command.env(SINK, listener.local_addr().unwrap().to_string());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (stream, _) = listener.accept().unwrap();
    peer(stream, &mut || release(&mut child));
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let scrape = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{scrape}");
    scrape
}

#[test]
fn a_socket_gets_as_many_lines_as_were_counted_as_written() {
    let mut text = String::new();
    let scrape = with_peer(|stream, release| {
        release();
        text = read_slowly(stream);
    });
    let lines = LogLine::read_all(&text);
    assert_eq!(total(&scrape, "log_events_written_total"), lines.len() as u64);
    assert_eq!(apart(&lines).0, total(&scrape, "log_events_dropped_total"));
    assert_accounted_for(&scrape);
}

#[test]
fn a_socket_closed_by_its_peer_ends_only_the_logging() {
    let scrape = with_peer(|mut stream, release| {
        stream.read_exact(&mut [0; 1_000]).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        drop(stream);
        release();
    });
    assert!(total(&scrape, "log_events_dropped_total") > 0);
    assert_accounted_for(&scrape);
}

// Waiting for room.

fn start_blocking() -> LogGuard {
    Logging::builder().queue_bytes(QUEUE).when_full(WhenFull::Block).init().unwrap()
}

fn blocking() {
    let guard = start_blocking();
    log_from_threads();
    info!(text = "x".repeat(3 * QUEUE), "larger than the queue");
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn blocking_logging_gives_a_slow_reader_every_line() {
    let (lines, scrape) = slowly_read("blocking");
    assert_eq!(lines.len() as u64, FROM_THREADS + 1);
    assert!(are_in_order(&lines.iter().collect::<Vec<_>>()));
    assert_eq!(total(&scrape, "log_events_written_total"), FROM_THREADS + 1);
    assert_eq!(total(&scrape, "log_events_dropped_total"), 0);
}

fn blocking_closed() {
    let guard = start_blocking();
    eprintln!("started");
    log_from_threads();
    assert!(guard.flush());
    drop(guard);
    info!("after the guard");
    eprint!("{}", metrics::render());
}

#[test]
fn blocking_logging_goes_on_once_its_reader_is_gone() {
    let mut child = PART.spawn("blocking_closed");
    let mut errors = wait_for(&mut child, "started");
    drop(child.stdout.take());
    let mut scrape = String::new();
    errors.read_to_string(&mut scrape).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(total(&scrape, "log_events_total"), FROM_THREADS + 1);
    assert!(total(&scrape, "log_events_dropped_total") > 0);
    assert_accounted_for(&scrape);
}

/// A value that logs while it is being formatted.
struct Talkative;

impl Display for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(text = "x".repeat(200), "from inside");
        f.write_str(&"shown".repeat(50_000))
    }
}

fn blocking_oneself() {
    /// Logs about every write, more than the queue holds, in every way there is.
    struct Chatty;

    impl Write for Chatty {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            for _ in 0..10 {
                let span = info_span!("span", value = %Talkative, later = tracing::field::Empty).entered();
                span.record("later", tracing::field::display(Talkative));
                monitor_runtime::context::bind("bound", tracing::field::display(Talkative));
                info!(value = %Talkative, text = "x".repeat(QUEUE), "event");
                log::info!("{Talkative}");
            }
            io::stdout().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            io::stdout().flush()
        }
    }

    let logging = Logging::builder().writer(Chatty).queue_bytes(256).when_full(WhenFull::Block);
    let guard = logging.init().unwrap();
    (0..20).for_each(|number| info!(number, "from outside"));
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn an_output_that_logs_does_not_block_or_feed_itself() {
    let output = run(&mut PART.command("blocking_oneself"));
    let lines = LogLine::read_all(written(&output));
    assert_eq!(lines.iter().filter(|line| line.text("event") == "from outside").count(), 20);
    assert_eq!(lines.len(), 20);
    assert_accounted_for(&String::from_utf8(output.stderr).unwrap());
}

// Lines inside of lines.

/// A value whose text logs the value.
struct LogsItself;

impl Display for LogsItself {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(value = %self, "from inside");
        let _span = info_span!("inside", value = %self).entered();
        f.write_str("shown")
    }
}

fn too_deep() {
    let guard = logging::init().unwrap();
    error!(value = %LogsItself, "from outside");
    info!("afterwards");
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn a_value_that_logs_itself_terminates_and_counts_its_drops() {
    let output = run(&mut PART.command("too_deep"));
    let lines = LogLine::read_all(written(&output));
    let (reported, own) = apart(&lines);
    assert_eq!(own.iter().filter(|line| line.text("event") == "from outside").count(), 1);
    assert_eq!(own.last().unwrap().text("event"), "afterwards");
    let inside: Vec<_> = own.iter().filter(|line| line.text("event") == "from inside").collect();
    assert!(inside.len() >= 3 && inside.iter().all(|line| line.text("value") == "shown"));
    let scrape = String::from_utf8(output.stderr).unwrap();
    assert!(reported > 0);
    assert_eq!(total(&scrape, "log_events_dropped_total"), reported);
    assert_accounted_for(&scrape);
}

// Rate limits.

fn limited() {
    let guard = Logging::builder().rate_limit(2, Duration::from_hours(1)).init().unwrap();
    for number in 0..10 {
        info!(number, "often");
        log::warn!(target: "driver", "often, {number}");
        log::warn!(target: "driver", "as often, {number}");
    }
    error!("once");
    drop(guard);
    eprint!("{}", metrics::render());
}

#[test]
fn a_callsite_past_its_limit_is_left_out_counted_and_summed_up() {
    let output = run(&mut PART.command("limited"));
    let lines = LogLine::read_all(written(&output));
    let (own, summaries) = lines.split_at(7);
    let events: Vec<_> = own.iter().map(|line| line.text("event")).collect();
    assert_eq!(events, ["often", "often, 0", "as often, 0", "often", "often, 1", "as often, 1", "once"]);
    assert_eq!(summaries.len(), 3);
    for (summary, (logger, level)) in summaries.iter().zip([
        ("subprocesses::log_accounting", "info"),
        ("driver", "warn"),
        ("driver", "warn"),
    ]) {
        assert_eq!((summary.text("level"), summary.text("event")), ("warn", "log lines suppressed"));
        assert_eq!(summary.names()[4..], ["suppressed", "callsite", "callsite.logger", "callsite.level"]);
        assert_eq!(summary.get("suppressed"), Some(&json!(8)));
        assert!(summary.text("callsite").starts_with("tests/subprocesses/log_accounting.rs:"), "{summary}");
        assert_eq!((summary.text("callsite.logger"), summary.text("callsite.level")), (logger, level));
    }
    let scrape = String::from_utf8(output.stderr).unwrap();
    assert_eq!(total(&scrape, "log_events_suppressed_total"), 24);
    assert_eq!(total(&scrape, "log_events_total"), 10, "what is left out is no line");
    assert_accounted_for(&scrape);
}

fn limited_and_quiet() {
    /// Hands every batch to the scenario.
    struct Handed(mpsc::Sender<String>);

    impl Write for Handed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (sender, handed) = mpsc::channel();
    let logging = Logging::builder().writer(Handed(sender)).rate_limit(1, Duration::from_secs(1));
    let _guard = logging.init().unwrap();
    for _ in 0..2 {
        (0..5).for_each(|_| info!("a burst"));
        while !handed.recv_timeout(Duration::from_mins(1)).unwrap().contains("\"suppressed\":4") {}
    }
    eprint!("{}", metrics::render());
}

#[test]
fn suppressed_lines_are_reported_after_the_period_when_quiet() {
    let scrape = String::from_utf8(run(&mut PART.command("limited_and_quiet")).stderr).unwrap();
    assert_eq!(total(&scrape, "log_events_suppressed_total"), 8);
}
