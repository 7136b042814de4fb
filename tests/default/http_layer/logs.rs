//! Every line written while a request is handled carries its id, wherever it is written.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use futures_util::{FutureExt as _, stream};
use http::Request;
use http_body::Frame;
use http_body_util::BodyExt as _;
use monitor_runtime::http::{HttpLayer, RequestId};
use monitor_runtime::testing::capture_logs;
use tokio::sync::Barrier;
use tokio::task::yield_now;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::http_layer::recorded::Recorded;

/// The lines logged, each as its message and the request id bound to it.
fn logged(code: impl Future<Output = ()>) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let in_turn = async {
        let _turn = Recorded::start().await;
        code.await;
    };
    let lines = capture_logs(|| runtime.block_on(in_turn));
    let ours = lines
        .iter()
        .filter(|line| line["logger"].as_str().is_some_and(|at| at.starts_with("default::http_layer")));
    let shown = ours.map(|line| {
        let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        format!("{}: {}", text("request_id"), text("event"))
    });
    shown.collect()
}

fn request(path: &str, id: &str) -> Request<Body> {
    Request::builder().uri(path).header("x-request-id", id).body(Body::empty()).unwrap()
}

/// Logs that when it is dropped.
struct Dropped(&'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        tracing::info!("{}", self.0);
    }
}

/// A body that logs while it is polled and when it is dropped.
fn logging_body() -> Body {
    let held = Dropped("body dropped");
    Body::from_stream(stream::unfold((held, 0), |(held, count)| async move {
        yield_now().await;
        tracing::info!("body polled");
        (count < 1).then(|| (Ok::<_, Infallible>(Bytes::from_static(b"chunk")), (held, count + 1)))
    }))
}

#[test]
fn lines_of_the_handler_and_of_the_body_carry_the_id() {
    async fn handler() -> Body {
        let _held = Dropped("handler's local dropped");
        tracing::info!("before await");
        yield_now().await;
        tracing::info!("after await");
        logging_body()
    }
    let app = Router::new().route("/lines", get(handler)).layer(HttpLayer::new());

    let lines = logged(async {
        tracing::info!("before");
        let response = app.oneshot(request("/lines", "r-1")).await.unwrap();
        tracing::info!("between");
        response.into_body().collect().await.unwrap();
        tracing::info!("after");
    });

    assert_eq!(
        lines,
        [
            "-: before",
            "r-1: before await",
            "r-1: after await",
            "r-1: handler's local dropped",
            "-: between",
            "r-1: body polled",
            "r-1: body polled",
            "r-1: body dropped",
            "-: after",
        ]
    );
}

#[test]
fn lines_of_destructors_carry_the_id_when_the_client_leaves() {
    async fn waiting() {
        let _held = Dropped("handler dropped");
        std::future::pending::<()>().await;
    }
    let body = || async { Response::new(logging_body()) };
    let app = Router::new().route("/waiting", get(waiting)).route("/body", get(body));
    let app = app.layer(HttpLayer::new());

    let lines = logged(async {
        let mut left = Box::pin(app.clone().oneshot(request("/waiting", "r-1")));
        assert!(left.as_mut().now_or_never().is_none());
        drop(left);
        drop(app.oneshot(request("/body", "r-2")).await.unwrap());
    });

    assert_eq!(lines, ["r-1: handler dropped", "r-2: body dropped"]);
}

/// A body of one frame that logs as it is dropped.
struct OneFrame(Option<Bytes>, #[expect(dead_code, reason = "it is there to be dropped")] Dropped);

impl http_body::Body for OneFrame {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

#[test]
fn inner_future_drops_in_span_before_response_is_returned() {
    let service = service_fn(|_: Request<Body>| {
        let held = Dropped("future dropped");
        poll_fn(move |_| {
            let _ = &held;
            let body = OneFrame(Some(Bytes::from_static(b"all")), Dropped("body dropped"));
            Poll::Ready(Ok::<_, Infallible>(Response::new(body)))
        })
    });
    let mut service = HttpLayer::new().layer(service);

    let lines = logged(async {
        let mut answer = Box::pin(service.call(request("/", "r-1")));
        let mut response = answer.as_mut().await.unwrap();
        tracing::info!("answered");
        response.frame().await.unwrap().unwrap();
        tracing::info!("read");
        drop((answer, response));
    });

    assert_eq!(lines, ["r-1: future dropped", "-: answered", "r-1: body dropped", "-: read"]);
}

#[test]
fn lines_of_requests_at_the_same_time_keep_apart() {
    let both = Arc::new(Barrier::new(2));
    let handler = |id: RequestId| async move {
        tracing::info!("handling {id}");
        both.wait().await;
        tracing::info!("still handling {id}");
    };
    let app = Router::new().route("/busy", get(handler)).layer(HttpLayer::new());

    let mut lines = logged(async {
        let [first, second] = ["r-1", "r-2"].map(|id| app.clone().oneshot(request("/busy", id)));
        let (first, second) = tokio::join!(first, second);
        drop((first.unwrap(), second.unwrap()));
    });

    lines.sort_unstable();
    assert_eq!(
        lines,
        ["r-1: handling r-1", "r-1: still handling r-1", "r-2: handling r-2", "r-2: still handling r-2",]
    );
}

#[test]
fn lines_of_a_service_that_logs_when_called_carry_the_id() {
    let service = service_fn(|_: Request<Body>| {
        tracing::info!("called");
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    });

    let lines = logged(async {
        HttpLayer::new().layer(service).oneshot(request("/", "r-1")).await.unwrap();
    });

    assert_eq!(lines, ["r-1: called"]);
}

#[test]
fn lines_of_an_inner_span_carry_the_id_as_well() {
    async fn handler() {
        let _entered = tracing::info_span!("inner", user = 7).entered();
        tracing::info!("inside");
    }
    let app = Router::new().route("/inner", get(handler)).layer(HttpLayer::new());

    let lines = logged(async {
        app.oneshot(request("/inner", "r-1")).await.unwrap();
    });

    assert_eq!(lines, ["r-1: inside"]);
}

#[test]
fn lines_of_probes_are_bound_to_nothing() {
    let probe = || async { tracing::info!("probed") };
    let app = Router::new().route("/health/live", get(probe)).layer(HttpLayer::new());

    let lines = logged(async {
        app.oneshot(request("/health/live", "r-1")).await.unwrap();
    });

    assert_eq!(lines, ["-: probed"]);
}
