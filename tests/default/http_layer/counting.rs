//! Which requests are counted, and under what labels.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get, post};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use monitor_runtime::http::HttpLayer;
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

use crate::http_layer::recorded::{Recorded, in_flight};

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

/// Sends a request through the app and reads the whole response.
async fn send(app: &Router, method: &str, path: &str) -> StatusCode {
    let response = app.clone().oneshot(request(method, path)).await.unwrap();
    let status = response.status();
    response.into_body().collect().await.unwrap();
    status
}

async fn hello() -> &'static str {
    "hello"
}

#[tokio::test]
async fn a_request_counts_under_its_route_and_status() {
    let recorded = Recorded::start().await;
    let create = || async { (StatusCode::CREATED, "made") };
    let app = Router::new().route("/users/{id}", get(hello).post(create)).layer(HttpLayer::new());

    send(&app, "GET", "/users/7").await;
    send(&app, "GET", "/users/8?verbose=1").await;
    send(&app, "POST", "/users/7").await;

    recorded.expect(&["GET /users/{id} 200 = 2", "POST /users/{id} 201 = 1"]);
}

#[tokio::test]
async fn a_nested_route_counts_under_its_whole_template() {
    let recorded = Recorded::start().await;
    let inner = || Router::new().route("/{id}", get(hello));
    let app = Router::new().nest("/api", inner()).layer(HttpLayer::new());
    send(&app, "GET", "/api/7").await;
    let app = Router::new().nest("/v2/{team}", inner().layer(HttpLayer::new()));
    send(&app, "GET", "/v2/red/7").await;

    recorded.expect(&["GET /api/{id} 200 = 1", "GET /v2/{team}/{id} 200 = 1"]);
}

#[tokio::test]
async fn a_request_without_a_route_is_unmatched_whatever_its_path() {
    let recorded = Recorded::start().await;
    let app = Router::new().route("/known", get(hello)).layer(HttpLayer::new());

    for path in ["/", "/wp-login.php", "/known/", "/unmatched/%20"] {
        assert_eq!(send(&app, "GET", path).await, 404);
    }

    recorded.expect(&["GET unmatched 404 = 4"]);
}

#[tokio::test]
async fn a_refused_method_counts_under_its_route() {
    let recorded = Recorded::start().await;
    let app = Router::new().route("/orders", post(hello)).layer(HttpLayer::new());

    assert_eq!(send(&app, "DELETE", "/orders").await, 405);

    recorded.expect(&["DELETE /orders 405 = 1"]);
}

#[tokio::test]
async fn methods_that_are_not_standard_are_all_other() {
    let recorded = Recorded::start().await;
    let app = Router::new().route("/dav", any(hello)).layer(HttpLayer::new());

    for method in ["PROPFIND", "get", "X-A-METHOD-TOO-LONG-TO-BE-KEPT-INLINE", "TRACE"] {
        send(&app, method, "/dav").await;
    }

    recorded.expect(&["OTHER /dav 200 = 3", "TRACE /dav 200 = 1"]);
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_body_has_ended() {
    let recorded = Recorded::start().await;
    let app = Router::new().route("/slow", get(|| async { in_flight() })).layer(HttpLayer::new());

    let response = app.oneshot(request("GET", "/slow")).await.unwrap();
    recorded.still_open();
    let seen_by_handler = response.into_body().collect().await.unwrap().to_bytes();

    assert_eq!(seen_by_handler, "1");
    recorded.expect(&["GET /slow 200 = 1"]);
}

#[tokio::test]
async fn probes_move_nothing_not_even_the_gauge() {
    let recorded = Recorded::start().await;
    let probe = || get(|| async { in_flight() });
    let probes =
        ["/health/live", "/health/ready", "/health/ready/{name}", "/health/startup", "/health/metrics"];
    let probes = probes.iter().fold(Router::new(), |app, path| app.route(path, probe()));
    let app = probes.clone().nest("/internal", probes).layer(HttpLayer::new());

    for path in ["/health/live", "/health/ready/db", "/health/metrics", "/internal/health/startup"] {
        let response = app.clone().oneshot(request("GET", path)).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.headers().get("x-request-id").is_none(), "{path}");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "0", "{path}");
    }

    recorded.expect(&[]);
}

#[tokio::test]
async fn a_route_of_ones_own_that_looks_like_a_probe_is_counted() {
    let recorded = Recorded::start().await;
    let app = Router::new()
        .route("/devices/{id}/health/live", get(hello))
        .route("/health/{name}", get(hello))
        .layer(HttpLayer::new());

    send(&app, "GET", "/devices/7/health/live").await;
    send(&app, "GET", "/health/db").await;

    recorded.expect(&["GET /devices/{id}/health/live 200 = 1", "GET /health/{name} 200 = 1"]);
}

#[tokio::test]
async fn a_request_past_two_layers_counts_once() {
    let recorded = Recorded::start().await;
    let inner = Router::new().route("/twice", get(hello)).layer(HttpLayer::metrics_only());
    let app = inner.layer(HttpLayer::new()).layer(HttpLayer::new());

    send(&app, "GET", "/twice").await;

    recorded.expect(&["GET /twice 200 = 1"]);
}

#[tokio::test]
async fn a_layer_of_metrics_only_leaves_no_mark_for_those_inside() {
    for inner in [HttpLayer::metrics_only(), HttpLayer::new()] {
        let recorded = Recorded::start().await;
        let app = Router::new().route("/each", get(hello)).layer(inner).layer(HttpLayer::metrics_only());

        send(&app, "GET", "/each").await;

        recorded.expect(&["GET /each 200 = 2"]);
    }
}

#[tokio::test]
async fn any_tower_service_can_be_counted() {
    let recorded = Recorded::start().await;
    let answer = |request: Request<()>| async move {
        let found = request.uri().path() == "/found";
        if found { Ok(Response::new("found".to_owned())) } else { Err("no such thing") }
    };
    let service = ServiceBuilder::new().layer(HttpLayer::new()).service(service_fn(answer));
    let to = |path: &str| Request::builder().uri(path).body(()).unwrap();

    let response = service.clone().oneshot(to("/found")).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "found");
    assert_eq!(service.oneshot(to("/lost")).await.unwrap_err(), "no such thing");

    recorded.expect(&["GET unmatched 200 = 1", "GET unmatched 500 = 1"]);
}

#[tokio::test]
async fn the_inner_service_is_called_only_where_it_was_ready() {
    /// Ready on the second asking; a clone has not been asked yet.
    #[derive(Default)]
    struct Warming {
        asked: u32,
    }

    impl Clone for Warming {
        fn clone(&self) -> Self {
            Self::default()
        }
    }

    impl Service<Request<()>> for Warming {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.asked += 1;
            cx.waker().wake_by_ref();
            if self.asked < 2 { Poll::Pending } else { Poll::Ready(Ok(())) }
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            assert_eq!(self.asked, 2, "called without being ready");
            ready(Ok(Response::new(String::new())))
        }
    }

    let recorded = Recorded::start().await;
    HttpLayer::new().layer(Warming::default()).oneshot(Request::new(())).await.unwrap();
    recorded.expect(&["GET unmatched 200 = 1"]);
}
