//! A program in which `tracing` hands all its events and spans to the `log` crate as well, and in which panics abort.

use std::env;
use std::panic;
use std::process;

use monitor_runtime::logging::{self, LogGuard, Logging, LoggingBuilder};
use monitor_runtime::{metrics, track_agent};
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt as _;

fn main() {
    match env::args().nth(1).as_deref() {
        Some("init") => log_all(redacting().init().unwrap()),
        Some("layer") => log_all(beside()),
        Some("serialised") => log_serialised(),
        Some("abort") => abort(|_| ()),
        Some("exit") => abort(|_| process::exit(7)),
        part => panic!("there is no part {part:?}"),
    }
}

fn redacting() -> LoggingBuilder {
    Logging::builder().redact(["password"])
}

fn log_serialised() {
    let _guard = redacting().init().unwrap();
    let nested = std::collections::BTreeMap::from([("a", vec![1, 2])]);
    log::info!(number:serde = 7_u8, text:serde = "t", none:serde = None::<u8>, nested:serde, password:serde = nested; "m");
}

/// With the logger of another crate, which takes copies for records.
fn beside() -> LogGuard {
    let (layer, guard) = redacting().layer().unwrap();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    tracing_log::LogTracer::init().unwrap();
    guard
}

fn log_all(guard: LogGuard) {
    plan();
    let record = log::Record::builder()
        .level(log::Level::Info)
        .target("bridge")
        .args(format_args!("made by hand"))
        .module_path(Some("bridge"))
        .file(Some(file!()))
        .line(Some(1))
        .build();
    log::logger().log(&record);
    drop(guard);
    eprint!("{}", metrics::render());
}

#[track_agent("planner", fields(password = "hunter2"))]
fn plan() {
    tracing::info!(password = "hunter2", steps = 3, "planned");
    let span = tracing::info_span!(target: "tracked", "step", password = "hunter2", later.password = Empty).entered();
    span.record("later.password", "hunter2");
    tracing::info!(name: "log event", target: "log", password = "hunter2");
    log::info!(target: "driver", "said by log");
    tracing::log::info!(target: "driver", password = "hunter2", tries = 2; "said by the log of tracing");
}

fn abort(before: impl Fn(&panic::PanicHookInfo<'_>) + Send + Sync + 'static) {
    panic::set_hook(Box::new(before));
    let _guard = logging::init().unwrap();
    logging::install_panic_hook();
    tracing::info!("about to panic");
    #[track_agent("planner")]
    fn plan() {
        panic!("boom");
    }
    plan();
}
