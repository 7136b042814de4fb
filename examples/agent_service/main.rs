//! A small service that answers questions about a folder of Markdown notes, with metrics, health checks and logs.
//!
//! ```text
//! cargo run --release --example agent_service
//! curl -d '{"question": "what is a skill?"}' http://127.0.0.1:8080/ask
//! ```
//!
//! Its address in a browser asks the same by a form, and leads to the live page of what it does.
//!
//! A question goes from [`api`] to a [`run`]. There the [`agents`] use their [`skills`] on the notes that the [`indexer`] has put
//! into the [`store`]. Answers are quotes, found by full-text search, unless `--model` names a language model to write them.

mod agents;
mod api;
mod args;
mod client;
mod database;
mod indexer;
mod listener;
mod markdown;
mod model;
mod question;
mod run;
mod search;
mod skills;
mod stop;
mod store;
mod text;
mod traffic;
mod web;
mod welcome;

use std::env;
use std::future::ready;
use std::io::{self, Write as _};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use monitor_runtime::health::{self, DatabaseCheck, DiskCheck};
use monitor_runtime::{BuildError, Dashboard, Monitor, Peers, logging};

use args::{Args, Command, HELP};
use client::Client;
use database::Database;
use indexer::Index;
use listener::{Address, Port};
use model::{Model, ModelError};
use stop::StopSignals;
use store::Store;

/// Shutdown timeout after the drain delay: requests in flight have 20 seconds, and closing the database has a few.
const REST_OF_A_STOP: Duration = Duration::from_secs(25);

/// The port of the live page, unless one is asked for.
const PAGE_PORT: u16 = 8081;

/// The exit code for wrong usage.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    match Command::parse(env::args_os().skip(1)) {
        Ok(Command::Serve(args)) => match serve(args).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&in_full(&error), ExitCode::FAILURE),
        },
        Ok(Command::Probe(url)) => match health::probe(&url) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.to_string(), ExitCode::FAILURE),
        },
        Ok(Command::Help) => show(HELP),
        Ok(Command::Version) => show(concat!("agent_service ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(error) => fail(&format!("{error}; --help shows what there is"), USAGE.into()),
    }
}

/// Serves until the process is told to stop, which may happen before it serves. In any case it closes the database, and removes
/// a temporary one.
async fn serve(args: Args) -> anyhow::Result<()> {
    let _flushed_at_the_end = logging::init()?;
    logging::install_panic_hook();
    let mut stop = StopSignals::install()?;
    let port = Port::take(&args.host, args.port).await?;
    let model = tokio::select! {
        model = find_model(&args) => model?,
        () = stop.received() => return Ok(()),
    };
    let database = Database::choose(args.db.as_deref())?;
    let store = Store::new(&database);
    let served = async {
        let index = tokio::select! {
            index = prepare(&args, &database, &store) => index?,
            () = stop.received() => return Ok(()),
        };
        let monitor = monitor(&args, &database, &store)?;
        let routes = api::routes(store.clone(), model, args.time_limit, monitor.dashboard_url());
        serve_from(&args, port, routes, monitor, index, stop).await
    };
    let served = served.await;
    store.close().await;
    drop(store);
    database.remove().await;
    served.inspect(|()| tracing::info!("stopped"))
}

async fn find_model(args: &Args) -> Result<Model, ModelError> {
    match &args.model {
        Some(address) => Model::find(address, args.model_name.as_deref()).await,
        None => Ok(Model::Quotes),
    }
}

/// Connects to the database, creates its tables and indexes the notes into them.
async fn prepare(args: &Args, database: &Database, store: &Store) -> anyhow::Result<Index> {
    store.reach(database).await?;
    store.make_tables(database).await?;
    indexer::index(&args.docs, store).await
}

async fn serve_from(
    args: &Args,
    port: Port,
    routes: Router,
    monitor: Monitor,
    index: Index,
    mut stop: StopSignals,
) -> anyhow::Result<()> {
    let listener = port.listen()?;
    let address = Address::of(&listener)?;
    let mut serving = pin!(monitor.serve(listener, routes));
    // From its first step on `serve` receives the signals itself; an earlier one reached only us.
    tokio::select! {
        biased;
        served = &mut serving => return Ok(served?),
        () = stop.received() => return Ok(()),
        () = ready(()) => drop(stop),
    }
    welcome::say(address, &monitor, &args.docs, &index);
    if let Some(per_second) = args.traffic {
        tokio::spawn(traffic::run(Client { address: address.0 }, per_second, index.topics));
    }
    Ok(serving.await?)
}

/// Builds the monitor, with the live page on a port that is asked for, the usual one, or else any.
fn monitor(args: &Args, database: &Database, store: &Store) -> Result<Monitor, BuildError> {
    let page = || {
        let page = Dashboard::new();
        if args.peers.is_empty() { page } else { page.peers(Peers::list(args.peers.iter().cloned())) }
    };
    let build = |admin_port| {
        Monitor::builder()
            .service("agent-service", env!("CARGO_PKG_VERSION"))
            .check(DatabaseCheck::new(store.pool().clone()))
            .check(DiskCheck::new(&database.disk))
            .pool("main", store.pool())
            .drain_delay(args.drain_delay)
            .grace_period(args.drain_delay + REST_OF_A_STOP)
            .admin_port(admin_port)
            .dashboard(page())
            .build()
    };
    match args.admin_port {
        Some(port) => build(port),
        None if args.port == 0 => build(0),
        None => match build(PAGE_PORT) {
            Err(BuildError::AdminAddress { .. }) => build(0),
            other => other,
        },
    }
}

/// Prints the requested text, and ignores a reader that is gone.
fn show(text: &str) -> ExitCode {
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// Prints the reason for the exit in one line.
fn fail(line: &str, code: ExitCode) -> ExitCode {
    // An argument or a path can contain any character.
    let line = line.replace(char::is_control, " ");
    let _ = writeln!(io::stderr(), "agent_service: {line}");
    code
}

/// An error with its sources. A source that the error's own text repeats is omitted.
fn in_full(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !line.contains(&cause) {
            line.push_str(if line.is_empty() { "" } else { ": " });
            line.push_str(&cause);
        }
    }
    line
}
