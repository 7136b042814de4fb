//! Whole processes: their variables are applied, and they end in every state of the collector.

use std::fmt;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use monitor_runtime::logging::Logging;
use monitor_runtime::otlp::Otlp;
use monitor_runtime::{metrics, track_agent, track_skill};
use serde_json::Value;
use tracing::subscriber::set_global_default;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::otlp::collector::{Answer, Collector, attributes};
use crate::support::closed_port::ClosedPort;
use crate::support::subprocess::{self, Subprocess};

/// Its part is the number of its calls.
const SERVICE: Subprocess = Subprocess::new(module_path!(), "service");
const LONG: Duration = Duration::from_mins(1);

/// Set where the service composes its subscriber itself, the log before the export.
const COMPOSED: &str = "MONITOR_OTLP_COMPOSED";

#[track_agent("worker")]
fn work(number: usize) {
    tracing::info!(number, "working");
}

/// A value whose text opens spans of its own.
struct Opens;

impl fmt::Display for Opens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By its field it could be a call's.
        let _span = tracing::info_span!("inside", status = "warm").entered();
        work(0);
        f.write_str("shown")
    }
}

#[track_skill("talker", fields(value = %Opens))]
fn talk() {}

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn service() {
    let Some(calls) = subprocess::part() else { return };
    let otlp = match Otlp::builder().service("from code", "1.4.2").start() {
        Ok(otlp) => otlp,
        Err(error) => {
            println!("{error}");
            std::process::exit(1);
        }
    };
    let logs = if std::env::var_os(COMPOSED).is_some() {
        let (lines, guard) = Logging::builder().layer().unwrap();
        set_global_default(tracing_subscriber::registry().with(lines).with(otlp.layer())).unwrap();
        talk();
        guard
    } else {
        Logging::builder().traces(&otlp).init().unwrap()
    };
    (0..calls.parse().unwrap()).for_each(work);
    // Until the test wants it to end.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(otlp);
    drop(logs);
    print!("{}", metrics::render());
    std::process::exit(0);
}

/// A process that makes this number of calls and exports to that collector; [`end`] waits for it.
pub(crate) fn process(url: &str, calls: usize, variables: &[(&str, &str)]) -> Child {
    let mut command = SERVICE.command(&calls.to_string());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", url).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Lets it end, waits until it has, and gives what was written.
pub(crate) fn end(mut child: Child) -> String {
    drop(child.stdin.take());
    let started = Instant::now();
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > LONG {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    reader.join().unwrap().unwrap()
}

/// The log lines.
fn lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
}

/// Every time that could be waited for, far longer than a test waits.
const PATIENT: [(&str, &str); 3] = [
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "3600000"),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "3600000"),
];

#[test]
fn a_process_ends_while_its_collector_keeps_silent() {
    let collector = Collector::start();
    collector.will((0..9).map(|_| Answer::Never));

    end(process(&collector.url(), 3, &PATIENT));
    assert!(!collector.received().requests.is_empty());
}

#[test]
fn a_process_ends_during_retry_after_and_counts_its_losses() {
    let collector = Collector::start();
    collector.will((0..9).map(|_| Answer::RetryAfter(503, "3600")));

    let text = end(process(&collector.url(), 3, &PATIENT));
    assert!(text.contains("otlp_dropped_total{signal=\"traces\"} 3\n"), "{text}");
}

#[test]
fn a_process_ends_without_a_collector_and_warns_once() {
    let closed = ClosedPort::take();
    let url = format!("http://{}", closed.address);
    let small = [("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2"), ("OTEL_METRICS_EXPORTER", "none")];

    let text = end(process(&url, 10, &small));
    let said = |line: &Value| line["event"] == "nothing reaches the collector" && line["signal"] == "traces";
    assert_eq!(lines(&text).iter().filter(|line| said(line)).count(), 1, "{text}");
    assert!(text.contains("otlp_dropped_total{signal=\"traces\"} 10\n"), "{text}");
}

#[test]
fn a_process_sends_all_that_waits_as_it_ends() {
    let collector = Collector::start();

    let text = end(process(&collector.url(), 700, &[]));
    let spans = collector.spans();
    assert_eq!(spans.len(), 700);
    assert!(!collector.received().metrics.is_empty());
    let lines = lines(&text);
    let worked: Vec<_> = lines.iter().filter(|line| line["event"] == "working").collect();
    assert_eq!(worked.len(), 700);
    let known = |line: &Value| {
        spans.iter().any(|span| line["trace_id"] == *span.trace && line["span_id"] == *span.id)
    };
    assert!(worked.iter().all(|line| known(line) && line["agent_id"] == "worker"));
}

#[test]
fn spans_are_exported_though_no_line_is_logged() {
    let collector = Collector::start();

    let text = end(process(&collector.url(), 3, &[("LOG_LEVEL", "off")]));
    assert_eq!(collector.spans().len(), 3);
    assert!(lines(&text).is_empty(), "{text}");
}

#[test]
fn spans_opened_while_formatting_another_span_stay_distinct() {
    let collector = Collector::start();

    end(process(&collector.url(), 0, &[(COMPOSED, "1")]));
    assert_eq!(collector.span("execute_tool talker").attribute("value"), "shown");
    let mut names: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, ["execute_tool talker", "inside", "invoke_agent worker"]);
}

#[test]
fn variables_say_who_exports_and_what_goes_along() {
    let collector = Collector::start();
    let own = format!("{}/tenant/traces", collector.url());
    let variables = [
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=a%20b, service.name=not this,service.version=2",
        ),
        ("OTEL_SERVICE_NAME", "from a variable"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%2Cb,x-other=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &own),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
    ];

    end(process(&collector.url(), 1, &variables));
    let received = collector.received();
    let resource = attributes(&received.traces[0].resource.as_ref().unwrap().attributes);
    assert_eq!(resource["service.name"], "from a variable");
    assert_eq!(resource["service.version"], "2");
    assert_eq!(resource["deployment.environment.name"], "a b");
    let headers = |path: &str| &received.requests.iter().find(|(to, _)| to == path).unwrap().1;
    assert_eq!(headers("/v1/metrics")["x-key"], "a,b");
    assert_eq!(headers("/v1/metrics")["x-other"], "1");
    assert_eq!(headers("/tenant/traces")["x-key"], "traces");
    assert_eq!(headers("/tenant/traces")["content-encoding"], "gzip");
    assert!(!headers("/v1/metrics").contains_key("content-encoding"));
}

#[test]
fn a_signal_can_be_left_out_and_so_can_both() {
    let requests = |name: &str, value: &str| {
        let collector = Collector::start();
        end(process(&collector.url(), 3, &[(name, value)]));
        let received = collector.received();
        (!received.traces.is_empty(), !received.metrics.is_empty())
    };
    assert_eq!(requests("OTEL_TRACES_EXPORTER", "none"), (false, true));
    assert_eq!(requests("OTEL_METRICS_EXPORTER", "none"), (true, false));
    assert_eq!(requests("OTEL_SDK_DISABLED", "TRUE"), (false, false));
}

#[test]
fn a_sampler_decides_on_the_traces_that_begin_here() {
    let spans = |variables: &[(&str, &str)]| {
        let collector = Collector::start();
        end(process(&collector.url(), 200, variables));
        collector.spans().len()
    };
    assert_eq!(spans(&[("OTEL_TRACES_SAMPLER", "always_off")]), 0);
    assert_eq!(spans(&[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]), 0);
    assert_eq!(spans(&[("OTEL_TRACES_SAMPLER", "always_on")]), 200);
    let some = spans(&[("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")]);
    assert!((20..180).contains(&some), "{some}");
}

#[test]
fn both_export_metrics_are_zero_before_the_first_export() {
    let text = end(process("http://127.0.0.1:1", 3, &[("OTEL_SDK_DISABLED", "true")]));
    for signal in ["metrics", "traces"] {
        assert!(text.contains(&format!("otlp_dropped_total{{signal=\"{signal}\"}} 0\n")), "{text}");
        for outcome in ["rejected", "success", "unavailable"] {
            let labels = format!("outcome=\"{outcome}\",signal=\"{signal}\"");
            assert!(text.contains(&format!("otlp_exports_total{{{labels}}} 0\n")), "{text}");
        }
    }
}

#[test]
fn metrics_are_pushed_again_and_again() {
    let collector = Collector::start();
    let often = [("OTEL_METRIC_EXPORT_INTERVAL", "1"), ("OTEL_TRACES_EXPORTER", "none")];
    let child = process(&collector.url(), 1, &often);

    drop(collector.wait_until(|received| received.metrics.len() >= 3));
    end(child);
}

#[test]
fn a_bad_variable_is_an_error_at_start_up_that_names_it() {
    let text = end(process("http://127.0.0.1:1", 0, &[("OTEL_BSP_MAX_QUEUE_SIZE", "many")]));
    assert!(text.contains("OTEL_BSP_MAX_QUEUE_SIZE is `many`; expected a whole number from 1 on"), "{text}");
}
