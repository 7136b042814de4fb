//! Runs each main path by itself a known number of times, for a tool that counts instructions.
//!
//! `cargo xtask instructions` runs it under callgrind, which counts the instructions of `measured_path` on its thread, and
//! compares them with `benches/instructions.txt`.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::io;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use monitor_runtime::http::HttpLayer;
use monitor_runtime::logging::Logging;
use monitor_runtime::{metrics, track_agent};
use tower::ServiceExt as _;
use tracing::field::Empty;
use tracing::{info, info_span};

monitor_benches::define_counting!();

struct Path {
    name: &'static str,
    /// Whether it runs with our log lines switched on, inside a span.
    is_logged: bool,
    times: u32,
    run: fn(u32),
}

const fn path(name: &'static str, is_logged: bool, times: u32, run: fn(u32)) -> Path {
    Path { name, is_logged, times, run }
}

const PATHS: [Path; 9] = [
    path("call_literal", false, 10_000, |times| repeat(times, || drop(literal(1)))),
    path("call_dynamic", false, 10_000, |times| repeat(times, || drop(dynamic("instructions-agent", 1)))),
    path("call_async", false, 10_000, |times| repeat(times, || drop(ready(asynchronous(1))))),
    path("call_logged", true, 10_000, |times| repeat(times, || drop(literal(1)))),
    path("line", true, 10_000, |times| repeat(times, || info!(attempt = 1, outcome = "found", "searching"))),
    path("span", true, 10_000, |times| repeat(times, span)),
    path("scrape", false, 100, scrape),
    path("request", false, 1_000, |times| request(times, HttpLayer::metrics_only())),
    path("request_in_full", true, 1_000, |times| request(times, HttpLayer::new())),
];

/// Prints the names of the paths; or runs the named path, and prints the number of repetitions.
fn main() -> Result<(), Box<dyn Error>> {
    let Some(name) = env::args().nth(1).filter(|argument| argument != "--bench") else {
        for Path { name, .. } in PATHS {
            println!("{name}");
        }
        return Ok(());
    };
    let found = PATHS.into_iter().find(|path| path.name == name);
    let path = found.ok_or_else(|| format!("unknown path {name}"))?;
    let _guard = path.is_logged.then(|| Logging::builder().writer(io::sink()).init()).transpose()?;
    let _request = info_span!("request", request_id = "r-1").entered();
    (path.run)(path.times);
    println!("{}", path.times);
    Ok(())
}

#[inline(never)]
#[track_agent("instructions::literal")]
fn literal(input: u64) -> Result<u64, io::Error> {
    Ok(black_box(input))
}

#[inline(never)]
#[track_agent(id = agent)]
fn dynamic(agent: &str, input: u64) -> Result<u64, io::Error> {
    black_box(agent);
    Ok(black_box(input))
}

/// It awaits, since the attribute treats a body that never awaits like that of a synchronous function.
#[track_agent("instructions::asynchronous")]
async fn asynchronous(input: u64) -> Result<u64, io::Error> {
    Ok(std::future::ready(black_box(input)).await)
}

/// Opens a span without the fields of a model call, records a field of it, and closes it.
fn span() {
    let span = info_span!("step", name = "search", found = Empty);
    span.in_scope(|| span.record("found", 3));
}

/// A hundred agents that have succeeded.
fn scrape(times: u32) {
    for agent in 0..100 {
        drop(dynamic(&format!("instructions-{agent}"), 1));
    }
    repeat(times, || {
        black_box(metrics::render());
    });
}

fn request(times: u32, layer: HttpLayer) {
    // With its state a router is as it is served: its layers stand round its routes.
    let app = Router::new().route("/agents/{id}", get(async || "planner")).layer(layer).with_state(());
    repeat(times, || {
        let request = Request::get("/agents/17").body(Body::empty()).unwrap_or_default();
        let Ok(response) = ready(app.clone().oneshot(request));
        assert_eq!(response.status(), StatusCode::OK);
        let body = ready(to_bytes(response.into_body(), 64));
        assert!(body.is_ok_and(|body| body == "planner"));
    });
}
