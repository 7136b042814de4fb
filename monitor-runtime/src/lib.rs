//! Monitoring for agent services: metrics, health endpoints and structured logs from one attribute a function.
//!
//! ```no_run
//! use axum::{Router, routing::post};
//! use monitor_runtime::{Monitor, track_agent};
//!
//! #[track_agent("planner")]
//! async fn plan(goal: String) -> String {
//!     format!("1. {goal}")
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let _guard = monitor_runtime::logging::init()?;
//! let app = Router::new().route("/plan", post(plan));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! Monitor::builder().build()?.serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each execution of `plan` is now counted by its outcome, timed, and shown in a gauge while it is in flight. Log lines
//! inside it carry `agent_id`, and log lines of a request carry `request_id`. The process answers `GET /health/live`,
//! `/health/ready`, `/health/startup` and `/health/metrics`.
//!
//! The crate works with `axum` 0.8, `sqlx` 0.8 and 0.9, `prometheus` 0.14 and `tracing-subscriber` 0.3.
//!
//! # Track agents, skills and queries
//!
//! Put an attribute on a function, a method or an `impl` block. Sync and async functions, streams and `Result`s need no
//! further argument; an `Err`, a panic and a dropped future each have a `status` of their own.
//!
//! ```
//! # #[cfg(feature = "sqlx-sqlite")]
//! # mod shown {
//! use monitor_runtime::{track_agent, track_query, track_skill};
//! use sqlx::SqlitePool;
//!
//! #[track_agent("researcher", fields(question_len = question.len()))]
//! async fn research(pool: &SqlitePool, question: &str) -> Result<String, sqlx::Error> {
//!     Ok(search(pool, question).await?.join("\n"))
//! }
//!
//! #[track_skill]
//! async fn search(pool: &SqlitePool, words: &str) -> Result<Vec<String>, sqlx::Error> {
//!     find_notes(pool, &format!("%{words}%")).await
//! }
//!
//! #[track_query] // operation = "select", read from the SQL
//! async fn find_notes(pool: &SqlitePool, pattern: &str) -> Result<Vec<String>, sqlx::Error> {
//!     sqlx::query_scalar("SELECT body FROM notes WHERE body LIKE ?").bind(pattern).fetch_all(pool).await
//! }
//! # }
//! ```
//!
//! # Add metrics and health endpoints to an axum service
//!
//! [`Monitor::serve`] takes the place of `axum::serve` and drains on SIGTERM. If you keep your own server, take the layer
//! and the routes:
//!
//! ```
//! use axum::Router;
//! use monitor_runtime::health::{CheckError, DiskCheck, check_fn};
//! use monitor_runtime::{BuildError, Monitor};
//!
//! fn with_monitor(app: Router) -> Result<Router, BuildError> {
//!     let model = check_fn("model", async || Err::<(), _>(CheckError::new("model is loading")));
//!     let monitor =
//!         Monitor::builder().service("notes", "1.4.2").check(DiskCheck::new("/")).check(model).build()?;
//!     Ok(app.layer(monitor.layer()).merge(monitor.routes()))
//! }
//! # with_monitor(Router::new()).unwrap();
//! ```
//!
//! # Test instrumented code
//!
//! With the feature `testing`, a test reads what a call counted and logged:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use monitor_runtime::testing::{Recording, capture_logs};
//! use monitor_runtime::track_skill;
//!
//! #[track_skill("divide", fields(by))]
//! fn divide(number: i32, by: i32) -> Option<i32> {
//!     tracing::info!("dividing");
//!     number.checked_div(by)
//! }
//!
//! let recording = Recording::start();
//! let lines = capture_logs(|| divide(6, 3));
//! assert_eq!(recording.value("skill_executions_total", &[("skill_id", "divide"), ("status", "success")]), 1.0);
//! assert_eq!(lines[0]["by"], 3);
//! # }
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! | --- | --- |
//! | the attributes and their options | [`track_agent`], [`track_skill`], [`track_query`], [`track_model`], [`Classify`] |
//! | tokens and cost of model calls | [`genai`] |
//! | health checks and probes | [`Monitor`], [`health`] |
//! | HTTP requests | [`http`] |
//! | log lines and their bound fields | [`logging`], [`context`] |
//! | traces across services | [`context::TraceContext`], [`context::inject`]; `otlp`, with the feature of that name |
//! | buckets, exemplars, limits of the metrics | [`metrics::builder`] |
//! | your own metrics, or your own registry | [`metrics`], [`MonitorBuilder::registry`] |
//! | tests of instrumented code | `testing`, with the feature of that name |
//!
//! # Features
//!
//! | feature | default | adds | newest Rust |
//! | --- | --- | --- | --- |
//! | `macros` | yes | the attributes | 1.87 |
//! | `logging` | yes | JSON (or pretty) log lines and their writer thread; the functions of `context` | 1.87 |
//! | `health` | with `http`, `disk` or `sqlx` | `Monitor`, checks, the gauges of connection pools, answers as plain `http::Response` values; brings tokio and flate2 | 1.87 |
//! | `http` | yes | axum routes, the tower layer, `Monitor::serve`; brings axum | 1.89 (uuid) |
//! | `disk` | yes | `DiskCheck`; brings sysinfo | 1.95 (sysinfo) |
//! | `sqlx` | no | `DatabaseCheck` and `MonitorBuilder::pool` over any sqlx pool whose driver you enable yourself | 1.94 (sqlx) |
//! | `sqlx-sqlite` | no | the same, with the SQLite driver and a bundled SQLite | 1.94 |
//! | `sqlx-postgres` | no | the same, with the PostgreSQL driver | 1.94 |
//! | `sqlx-mysql` | no | the same, with the MySQL and MariaDB driver | 1.94 |
//! | `push` | no | `metrics::push_once`, for jobs that end before they are scraped; brings ureq | 1.87 |
//! | `otlp` | no | traces and metrics pushed by OTLP over HTTP; brings the messages of `opentelemetry`, tokio and hyper | 1.87 |
//! | `otlp-grpc` | no | the same over gRPC; brings tonic | 1.88 (tonic) |
//! | `otlp-tls` | no | the same over TLS; brings rustls with ring, which needs a C compiler | 1.87 |
//! | `tonic` | no | gRPC calls counted by service, method and status; the service `grpc.health.v1.Health`; brings tonic 0.13 or 0.14 | 1.89 (uuid) |
//! | `runs` | no | `run`: the tree of all calls inside each agent call, during the call and after its end | 1.87 |
//! | `dashboard` | no | the live page of the process on the admin listener, and `Dashboard`; brings `http`, `runs`, hmac and sha2 | 1.89 (uuid) |
//! | `testing` | no | `testing`: recordings of metric changes and captured log lines | 1.87 |
//! | `off` | no | every attribute checks its arguments and returns its item unchanged | 1.87 |
//!
//! Every feature works with Rust 1.85: the range of each dependency has a version for it, which Cargo chooses by the
//! `rust-version` of your package. The last column is the Rust version that the newest versions in range require.
//! Without features that is 1.87, because of quanta.
//!
//! A library that only annotates functions uses `default-features = false, features = ["macros"]`. It then depends on
//! neither tokio nor axum nor sqlx.

// docs.rs builds with nightly and `--cfg docsrs`: each item then shows the feature that it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]
// With fewer features, parts of the lower modules are unused. The build with all features finds dead code.
#![cfg_attr(
    not(all(
        feature = "http",
        feature = "logging",
        feature = "sqlx",
        feature = "push",
        feature = "otlp-grpc",
        feature = "otlp-tls",
        feature = "dashboard",
        feature = "testing"
    )),
    allow(dead_code, unused_imports)
)]

pub mod context;
pub mod genai;
pub mod metrics;

#[cfg(feature = "health")]
pub mod health;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "logging")]
pub mod logging;
#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "runs")]
pub mod run;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[doc(hidden)]
pub mod private;

mod address;
mod call;
mod cells;
#[cfg(feature = "dashboard")]
mod dashboard;
mod error_chain;
mod exposition;
mod families;
mod json;
#[cfg(feature = "health")]
mod monitor;
mod monitor_route;
mod prices;
#[cfg(feature = "health")]
mod probe;
#[cfg(feature = "push")]
mod push;
mod rarely;
mod timestamp;
mod trace_context;
mod usage;

pub use call::Classify;
pub use families::Outcome;
#[cfg(feature = "health")]
pub use families::PoolState;
#[cfg(feature = "tonic")]
pub use monitor::GrpcHealth;
#[cfg(feature = "health")]
pub use monitor::{BuildError, Monitor, MonitorBuilder};
#[cfg(feature = "http")]
pub use monitor::{ConnectionLimits, IncomingConnection};
#[cfg(feature = "dashboard")]
pub use monitor::{Dashboard, Peers};
/// The crate of the types in [`metrics`], re-exported so that your code uses the same version.
pub use prometheus;

#[cfg(feature = "macros")]
pub use monitor_macros::{track_agent, track_model, track_query, track_skill};
