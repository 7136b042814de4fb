//! Allocations in the steady state, counted thread by thread, without the writer thread.

#![allow(clippy::unnecessary_wraps, reason = "the form is what is tested")]

use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use axum::Router;
use axum::body::Body;
use axum::routing::{Route, get};
use http::Request;
use http_body_util::BodyExt;
use monitor_runtime::http::HttpLayer;
use monitor_runtime::logging::{LogGuard, Logging};
use monitor_runtime::{track_agent, track_query, track_skill};
use tower::ServiceExt;
use tower::layer::layer_fn;
use tracing_subscriber::layer::SubscriberExt as _;

/// Calls of each measurement: what is allocated now and then shows as well.
const CALLS: u64 = 1_000;

/// The allocations of this number of calls, after a hundred warm-up calls.
fn allocations(mut call: impl FnMut()) -> u64 {
    (0..100).for_each(|_| call());
    measure(|| (0..CALLS).for_each(|_| call())).count_total
}

/// Runs a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

#[track_agent("allocations::plan")]
fn plan(goal: u64) -> u64 {
    goal + 1
}

#[track_skill("allocations::search")]
async fn search(query: u64) -> Result<u64, io::Error> {
    std::future::ready(()).await;
    Ok(query + 1)
}

#[track_agent(id = agent)]
fn run(agent: &str) -> usize {
    agent.len()
}

#[track_query("allocations::find", operation = "select")]
fn find(id: u64) -> Option<u64> {
    Some(id)
}

#[track_skill("allocations::nested")]
async fn nested(goal: u64) -> Result<u64, io::Error> {
    search(plan(goal)).await
}

#[test]
fn the_counter_sees_what_is_allocated() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), CALLS);
}

#[test]
fn a_call_with_a_literal_id_allocates_nothing() {
    assert_eq!(allocations(|| assert_eq!(plan(1), 2)), 0);
    assert_eq!(allocations(|| assert_eq!(find(1), Some(1))), 0);
}

#[test]
fn an_asynchronous_call_allocates_nothing() {
    assert_eq!(allocations(|| assert_eq!(ready(search(1)).unwrap(), 2)), 0);
    assert_eq!(allocations(|| assert_eq!(ready(nested(1)).unwrap(), 3)), 0);
}

#[test]
fn a_call_with_a_known_id_allocates_nothing() {
    let ids: Vec<String> = (0..100).map(|agent| format!("allocations-agent-{agent}")).collect();
    let mut turn = ids.iter().cycle();
    assert_eq!(allocations(|| assert!(turn.next().is_some_and(|id| run(id) == id.len()))), 0);
}

/// A subscriber whose lines are written to a [`Signal`].
fn logging() -> (impl tracing::Subscriber + Send + Sync, LogGuard, Receiver<usize>) {
    let (sender, written) = mpsc::channel();
    let (layer, guard) = Logging::builder().writer(Signal(sender)).layer().unwrap();
    (tracing_subscriber::registry().with(layer), guard, written)
}

/// Says how many bytes it was given.
struct Signal(Sender<usize>);

impl Write for Signal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A dropped receiver ends the thread.
        let _ = self.0.send(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives each of the writer's two buffers room for more than a test logs, by a line that has to be written by itself.
fn make_room(written: &Receiver<usize>) {
    const ROOM: usize = 512 * 1_024;
    let text = "x".repeat(ROOM);
    for _ in 0..2 {
        tracing::info!(text);
        let mut bytes = 0;
        while bytes < ROOM {
            bytes += written.recv_timeout(Duration::from_mins(1)).unwrap();
        }
    }
}

#[test]
fn a_log_line_allocates_nothing_beyond_its_way_to_the_writer() {
    let (subscriber, _guard, written) = logging();
    tracing::subscriber::with_default(subscriber, || {
        let _outer = tracing::info_span!("outer", request_id = "r-1").entered();
        let _inner = tracing::info_span!("inner", user = "u-1", attempt = 2).entered();
        make_room(&written);
        assert_eq!(allocations(|| tracing::info!(found = 3, source = "web", "answered")), 0);
    });
}

#[test]
fn a_call_under_the_json_layer_allocates_once() {
    let (subscriber, _guard, _written) = logging();
    tracing::subscriber::with_default(subscriber, || {
        // `tracing-subscriber` boxes what a layer keeps with a span.
        assert_eq!(allocations(|| assert_eq!(plan(1), 2)), CALLS);
        assert_eq!(allocations(|| assert_eq!(ready(search(1)).unwrap(), 2)), CALLS);
    });
}

/// The allocations of a thousand requests through the layer beyond those through a plain layer. Like ours, the plain one keeps a
/// setting and has its own type of body, since axum boxes both.
fn allocations_of(layer: HttpLayer) -> u64 {
    let app = Router::new().route("/users/{id}", get(|| async { "hello" }));
    let setting = true;
    let bare = app.clone().layer(layer_fn(move |service: Route| {
        assert!(setting);
        ServiceExt::<Request<Body>>::map_response(service, |response| response.map(BodyExt::boxed_unsync))
    }));
    requests(&app.layer(layer)) - requests(&bare)
}

fn requests(app: &Router) -> u64 {
    allocations(|| {
        let request = Request::builder().uri("/users/7").body(Body::empty()).unwrap();
        let response = ready(app.clone().oneshot(request)).unwrap();
        let bytes = ready(response.into_body().collect()).unwrap().to_bytes();
        assert_eq!(bytes, "hello");
    })
}

#[test]
fn counting_a_request_allocates_nothing() {
    assert_eq!(allocations_of(HttpLayer::metrics_only()), 0);
}

#[test]
fn naming_a_request_allocates_its_id_and_an_extension() {
    assert_eq!(allocations_of(HttpLayer::new()), 2 * CALLS);
}
