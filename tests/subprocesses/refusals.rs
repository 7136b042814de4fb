//! Each of our errors on a terminal: from `main`, from `unwrap`, and with its chain of sources.

use std::error::Error;
use std::fmt::Debug;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Termination as _;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use futures_util::FutureExt as _;
use monitor_runtime::Monitor;
use monitor_runtime::health::{CheckError, probe};
use monitor_runtime::http::RequestId;
use monitor_runtime::logging::{self, Logging, LoggingError};
use monitor_runtime::metrics::{self, BucketError, NativeHistogramError, NativeHistograms, push_once};
use monitor_runtime::otlp::{Otlp, OtlpError};
use monitor_runtime::run::{self, RunsError};

use crate::support::closed_port::ClosedPort;
use crate::support::subprocess::{self, Subprocess, in_own_process};

/// The `main` of the pages, as far as it gets.
fn main_of(scenario: &str) -> Result<(), Box<dyn Error>> {
    match scenario {
        "subscriber" => {
            tracing::subscriber::set_global_default(tracing_subscriber::registry())?;
            drop(logging::init()?);
        }
        "otlp" => drop(Otlp::builder().start()?),
        _ => drop(logging::init()?),
    }
    Ok(())
}

const PART: Subprocess = Subprocess::new(module_path!(), "part");

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn part() {
    let Some(name) = subprocess::part() else { return };
    // Reports the error as `main` reports the one that it returns.
    let code = main_of(&name).report();
    std::process::exit(i32::from(code == std::process::ExitCode::FAILURE));
}

/// The standard error of the process.
fn shown(scenario: &str, variables: &[(&str, &str)]) -> String {
    let ended = PART.command(scenario).envs(variables.iter().copied()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    String::from_utf8(ended.stderr).unwrap()
}

#[test]
fn a_main_that_returns_an_error_of_ours_shows_its_text() {
    assert_eq!(
        shown("level", &[("RUST_LOG", "info,desk[plan]=debug")]),
        "Error: RUST_LOG is `info,desk[plan]=debug`, where `desk[plan]=debug` names no target, because of `[`: spans and \
         fields cannot be chosen; expected a level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or levels by target as in `info,sqlx=warn`\n"
    );
    assert_eq!(
        shown("format", &[("LOG_FORMAT", "xml")]),
        "Error: LOG_FORMAT is `xml`; expected `json` or `pretty`\n"
    );
    assert_eq!(
        shown("otlp", &[("OTEL_BSP_MAX_QUEUE_SIZE", "many")]),
        "Error: OTEL_BSP_MAX_QUEUE_SIZE is `many`; expected a whole number from 1 on\n"
    );
}

#[test]
fn a_source_that_the_text_does_not_have_is_shown_behind_it() {
    let said = shown("subscriber", &[]);
    let source = "a global default trace dispatcher has already been set";
    assert!(said.starts_with("Error: another tracing subscriber is installed already; add"), "{said}");
    assert!(said.trim_end().ends_with(&format!("instead of installing the other: {source}")), "{said}");
}

/// One error of each kind that something here returns.
fn errors() -> Vec<Box<dyn Error>> {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = ClosedPort::take();
    let nobody = format!("http://{}/health/live", closed.address);
    let native = NativeHistograms::new().growth(0.5);
    let builders = [
        Monitor::builder().check_interval(Duration::ZERO),
        Monitor::builder().admin_address(taken.local_addr().unwrap()),
    ];
    let mut errors: Vec<Box<dyn Error>> = Vec::new();
    errors.extend(builders.map(|builder| builder.build().unwrap_err().into()));
    let metrics = [metrics::builder().http_buckets([0.1, 0.1]), metrics::builder().native_histograms(native)];
    errors.extend(metrics.map(|builder| builder.init().unwrap_err().into()));
    errors.push(Logging::builder().filter("loud").init().unwrap_err().into());
    errors.push(Logging::builder().rate_limit(0, Duration::ZERO).init().unwrap_err().into());
    errors.push(Otlp::builder().endpoint("collector:4318").start().unwrap_err().into());
    errors.push(probe(&nobody).unwrap_err().into());
    errors.push(probe("nothing").unwrap_err().into());
    errors.push(push_once(&nobody, "job", &[]).unwrap_err().into());
    errors.push(push_once(&nobody, "", &[]).unwrap_err().into());
    errors.extend([BucketError::Empty, BucketError::OutOfRange { bound: f64::NAN }].map(Into::into));
    errors.push(NativeHistogramError::MaxBuckets { max_buckets: 3 }.into());
    errors.push(run::builder().memory(1).start().unwrap_err().into());
    let (mut parts, ()) = http::Request::new(()).into_parts();
    let id = RequestId::from_request_parts(&mut parts, &()).now_or_never().unwrap();
    errors.push(id.unwrap_err().into());
    errors
}

#[test]
fn every_error_of_ours_debugs_as_its_text_with_its_sources() {
    for error in errors() {
        let sources = std::iter::successors(error.source(), |error| (*error).source());
        let texts = [error.to_string()].into_iter().chain(sources.map(ToString::to_string));
        let whole = texts.collect::<Vec<_>>().join(": ");
        assert_eq!(format!("{error:?}"), whole);
        assert_eq!(format!("{error:#?}"), whole);
    }
}

#[test]
fn no_text_of_a_chain_is_said_twice() {
    for error in errors() {
        assert_says_nothing_twice(&*error);
    }
}

fn assert_says_nothing_twice(error: &dyn Error) {
    let mut link = error;
    while let Some(source) = link.source() {
        assert!(!link.to_string().contains(&source.to_string()), "{link}: {source}");
        link = source;
    }
}

/// One error of each variant that declares a source.
fn errors_with_a_source() -> Vec<Box<dyn Error>> {
    let system = || std::io::Error::other("the system has no thread left");
    let install = || tracing::subscriber::set_global_default(tracing_subscriber::registry());
    install().unwrap();
    let closed = ClosedPort::take();
    vec![
        LoggingError::SubscriberInstalled(install().unwrap_err()).into(),
        LoggingError::Thread(system()).into(),
        OtlpError::Thread { signal: "traces", source: system() }.into(),
        RunsError::Thread(system()).into(),
        push_once(&format!("http://{}", closed.address), "job", &[]).unwrap_err().into(),
    ]
}

/// The variants of our public errors that declare a source.
fn declared_sources(folder: &Path) -> usize {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: std::path::PathBuf| {
        if path.is_dir() {
            return declared_sources(&path);
        }
        let source = fs::read_to_string(path).unwrap();
        let is_error = |line: &&str| line.starts_with("pub enum ") && line.ends_with("Error {");
        let Some(start) = source.lines().position(|line| is_error(&line)) else { return 0 };
        let variants = source.lines().skip(start).take_while(|line| *line != "}").map(str::trim);
        variants.filter(|line| line.contains("#[source]") || line.starts_with("source: ")).count()
    };
    paths.map(count).sum()
}

#[test]
fn the_text_of_an_error_does_not_contain_its_source() {
    in_own_process(|| {
        let errors = errors_with_a_source();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("monitor-runtime/src");
        assert_eq!(errors.len(), declared_sources(&sources), "every variant with a source is listed above");
        for error in errors {
            assert!(error.source().is_some(), "{error}");
            assert_says_nothing_twice(&*error);
        }
    });
}

#[test]
fn a_check_error_debugs_as_its_message_and_its_detail() {
    fn debugged(error: impl Debug) -> String {
        format!("{error:?}")
    }
    let detail = std::io::Error::other("no route to 10.0.0.7");
    assert_eq!(
        debugged(CheckError::new("index is old").caused_by(detail)),
        "index is old: no route to 10.0.0.7"
    );
    assert_eq!(debugged(CheckError::new("index is old")), "index is old");
    assert_eq!(debugged(CheckError::from("built on 10.0.0.7")), "built on 10.0.0.7");
}
