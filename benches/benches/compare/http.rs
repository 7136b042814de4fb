//! The cost that the request layer adds: the same router with and without it, called by `oneshot`.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use axum::routing::{Route, get};
use axum_prometheus::PrometheusMetricLayer;
use http_body_util::BodyExt as _;
use http_body_util::combinators::MapErr;
use monitor_runtime::http::HttpLayer;
use monitor_runtime::logging::Logging;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use tower::layer::layer_fn;

use crate::harness::{Contender, race, time_async};
use crate::remote::{Run, remote};
use crate::report::{Figures, print};
use crate::sections::Effort;

pub(crate) fn run(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().build()?;
    let ask = |app: &Router, times| ask(&runtime, app, times);
    let (bare, metrics_only) = (served(app()), served(app().layer(HttpLayer::metrics_only())));
    let full = served(app().layer(HttpLayer::new()));
    // It gives its upkeep to the runtime it is made in; one that nobody drives keeps that out of the turns.
    let elsewhere = Builder::new_current_thread().enable_all().build()?;
    let (layer, handle) = elsewhere.block_on(async { PrometheusMetricLayer::pair() });
    let theirs = served(app().layer(layer));
    // What axum itself adds to any layer with a setting and a body of its own: it boxes both.
    let nothing = served(app().layer(layer_fn(|service: Route| {
        ServiceExt::<Request<Body>>::map_response(service, |response| response.map(as_it_is))
    })));
    let race = race(
        vec![
            Contender::timed("no layer", |times| ask(&bare, times)),
            Contender::timed("a layer that does nothing", |times| ask(&nothing, times)),
            Contender::timed("HttpLayer, metrics only", |times| ask(&metrics_only, times)),
            Contender::timed("HttpLayer, no log lines", |times| ask(&full, times)),
            remote("HttpLayer, in full", "http/full")?,
            Contender::timed("axum-prometheus", |times| {
                let elapsed = ask(&theirs, times);
                // What its own task does now and then.
                handle.run_upkeep();
                elapsed
            }),
        ],
        effort.rounds(800),
    );
    print("a request by `oneshot`", &race, |name| (name != "no layer").then_some("no layer"));
    let theirs = race.net("axum-prometheus", "no layer");
    Ok(vec![
        ("axum_prometheus_over_layer", theirs / race.net("HttpLayer, metrics only", "no layer")),
        ("axum_prometheus_over_full_layer", theirs / race.net("HttpLayer, in full", "no layer")),
    ])
}

fn app() -> Router {
    Router::new().route("/agents/{id}", get(async || "planner"))
}

/// Builds the router as `axum::serve` does. Without `with_state` it would wrap a route in its layers anew for each request.
fn served(app: Router) -> Router {
    app.with_state(())
}

/// A body behind a function that changes nothing.
type Passed = MapErr<Body, fn(axum::Error) -> axum::Error>;

fn as_it_is(body: Body) -> Passed {
    body.map_err(|error| error)
}

/// A request's id and context matter only if log lines are written, so the full layer is measured with them.
pub(crate) fn contender(member: &str) -> Result<Run, Box<dyn Error>> {
    if member != "full" {
        return Err(format!("unknown contender {member}").into());
    }
    let guard = Logging::builder().writer(io::sink()).init()?;
    let runtime = Builder::new_current_thread().build()?;
    let full = app().layer(HttpLayer::new()).with_state(());
    Ok(Box::new(move |times| {
        let _ = &guard;
        ask(&runtime, &full, times)
    }))
}

fn ask(runtime: &Runtime, app: &Router, times: u64) -> Duration {
    runtime.block_on(time_async(times, async || {
        let request = Request::get("/agents/17").body(Body::empty()).unwrap_or_default();
        let Ok(response) = app.clone().oneshot(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        to_bytes(response.into_body(), 64).await
    }))
}
