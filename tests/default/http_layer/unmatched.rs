//! Requests that reach the layer before a router has matched them, and those that no axum router routes.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use monitor_runtime::http::HttpLayer;
use monitor_runtime::testing::capture_logs;
use monitor_runtime::{Monitor, track_agent};
use serde_json::Value;
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};

use crate::http_layer::recorded::{Recorded, in_flight};
use crate::support::subprocess::{self, Subprocess};

fn request(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

async fn send(app: &Router, path: &str) -> (StatusCode, String) {
    let response = app.clone().oneshot(request(path)).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn users() -> Router {
    Router::new().route("/users/{id}", get(async || in_flight()))
}

/// The app behind a service that changes the path before the router sees it.
fn normalized(app: Router) -> Router {
    let trim = |mut request: Request<Body>| {
        let path = request.uri().path().trim_end_matches('/').to_owned();
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    Router::new().fallback_service(ServiceBuilder::new().map_request(trim).service(app))
}

#[tokio::test]
async fn a_layer_further_in_names_the_route() {
    let recorded = Recorded::start().await;
    let inner = || users().layer(HttpLayer::new());
    let nested = Router::new().nest_service("/svc", inner()).layer(HttpLayer::new());
    let behind = normalized(inner()).layer(HttpLayer::new());
    let thrice = Router::new().nest_service("/a", nested.clone()).layer(HttpLayer::new());

    assert_eq!(send(&nested, "/svc/users/7").await, (StatusCode::OK, "1".to_owned()));
    assert_eq!(send(&behind, "/users/7/").await, (StatusCode::OK, "1".to_owned()));
    assert_eq!(send(&thrice, "/a/svc/users/7").await, (StatusCode::OK, "1".to_owned()));
    assert_eq!(send(&nested, "/svc/none").await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(&nested, "/none").await.0, StatusCode::NOT_FOUND);

    recorded.expect(&[
        "GET /a/svc/users/{id} 200 = 1",
        "GET /svc/users/{id} 200 = 1",
        "GET /users/{id} 200 = 1",
        "GET unmatched 404 = 2",
    ]);
}

#[tokio::test]
async fn layers_of_metrics_only_each_learn_the_route() {
    let recorded = Recorded::start().await;
    let inner = users().layer(HttpLayer::metrics_only());
    let app = Router::new().nest_service("/svc", inner).layer(HttpLayer::metrics_only());
    let app = Router::new().fallback_service(app).layer(HttpLayer::metrics_only());

    send(&app, "/svc/users/7").await;

    recorded.expect(&["GET /svc/users/{id} 200 = 3"]);
}

#[tokio::test]
async fn a_request_that_is_dropped_counts_where_it_was_routed_to() {
    let recorded = Recorded::start().await;
    let waiting = Router::new().route("/wait/{id}", get(async || std::future::pending::<()>().await));
    let app = normalized(waiting.layer(HttpLayer::new())).layer(HttpLayer::new());

    let mut waiting = Box::pin(app.oneshot(request("/wait/1/")));
    assert!(futures_util::poll!(waiting.as_mut()).is_pending());
    recorded.still_open();
    drop(waiting);

    recorded.expect(&["GET /wait/{id} 499 = 1"]);
}

#[tokio::test]
async fn probes_mounted_as_a_service_are_not_counted() {
    for layer in [HttpLayer::new(), HttpLayer::metrics_only()] {
        let recorded = Recorded::start().await;
        let monitor = Monitor::builder().build().unwrap();
        let app = Router::new().nest_service("/internal", monitor.routes()).layer(layer);

        for path in ["live", "ready", "ready/none", "startup", "metrics"] {
            let path = format!("/internal/health/{path}");
            let response = app.clone().oneshot(request(&path)).await.unwrap();
            assert!(response.headers().get("x-request-id").is_none(), "{path}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert!(!path.ends_with("metrics") || body.contains("\nhttp_requests_in_flight 0\n"), "{body}");
        }
        assert_eq!(send(&app, "/internal/other").await.0, StatusCode::NOT_FOUND);

        recorded.expect(&["GET unmatched 404 = 1"]);
    }
}

#[tokio::test]
async fn probes_answered_by_hand_below_a_prefix_are_not_counted() {
    let recorded = Recorded::start().await;
    let monitor = Monitor::builder().build().unwrap();
    let service = service_fn(move |mut request: Request<()>| {
        *request.uri_mut() = request.uri().path().trim_start_matches("/internal").parse().unwrap();
        let answer = monitor.answer(&request).map(|answer| answer.map(http_body_util::Full::new));
        async { answer.ok_or("no route of the monitor") }
    });

    let to_live = Request::get("/internal/health/live").body(()).unwrap();
    let response = HttpLayer::new().layer(service).oneshot(to_live).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);

    recorded.expect(&[]);
}

#[tokio::test]
async fn endpoints_are_named_by_the_users_code_where_it_names_them() {
    let recorded = Recorded::start().await;
    let layer = HttpLayer::new().endpoint(|request| match request.uri().path() {
        "/pkg.Greeter/SayHello" => Some("pkg.Greeter/SayHello".into()),
        path if path.starts_with("/assets/") => Some("assets".into()),
        _ => None,
    });
    let app = users().fallback(async || "page");
    let around = app.clone().layer(layer.clone());
    // As under `serve`, whose own layer is around.
    let within = app.layer(layer).layer(HttpLayer::new());

    for app in [around, within] {
        for path in ["/pkg.Greeter/SayHello", "/assets/a.js", "/assets/b.js", "/users/7", "/about"] {
            assert_eq!(send(&app, path).await.0, StatusCode::OK);
        }
        send(&app, "/health/live").await;
    }

    recorded.expect(&[
        "GET /users/{id} 200 = 2",
        "GET assets 200 = 4",
        "GET pkg.Greeter/SayHello 200 = 2",
        "GET unmatched 200 = 2",
    ]);
}

#[track_agent("planner")]
fn plan() -> Result<(), String> {
    tracing::info!(method = "own", "planning");
    Err("no plan".to_owned())
}

/// The lines logged while the request is handled.
fn lines(app: Router, path: &str) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lines = capture_logs(|| {
        runtime.block_on(async {
            let _turn = Recorded::start().await;
            let request = Request::post(path).header("x-request-id", "r-1").body(Body::empty()).unwrap();
            app.oneshot(request).await.unwrap();
        });
    });
    lines.into_iter().filter(|line| !line["request_id"].is_null()).collect()
}

#[test]
fn lines_of_a_request_carry_its_method_and_endpoint() {
    let app = Router::new().route("/ask/{id}", axum::routing::post(async || drop(plan())));
    let routed = app.clone().layer(HttpLayer::new());
    let nested = Router::new().nest_service("/svc", app.layer(HttpLayer::new())).layer(HttpLayer::new());

    for (app, path, endpoint) in [(routed, "/ask/7", "/ask/{id}"), (nested, "/svc/ask/7", "/svc/ask/{id}")] {
        let lines = lines(app, path);
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in &lines {
            assert_eq!((&line["method"], &line["endpoint"]), (&"POST".into(), &endpoint.into()), "{line:?}");
        }
        assert_eq!(lines[0]["field.method"], "own");
    }
}

#[test]
fn lines_of_a_request_without_a_route_say_so() {
    let app = Router::new().fallback(async || tracing::info!("lost")).layer(HttpLayer::new());

    let lines = lines(app, "/any/path");
    assert_eq!((&lines[0]["method"], &lines[0]["endpoint"]), (&"POST".into(), &"unmatched".into()));
}

/// Its part says whether its requests are to include one with a route.
const SERVICE: Subprocess = Subprocess::new(module_path!(), "service_that_answers_many_requests");

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn service_that_answers_many_requests() {
    let Some(routed) = subprocess::part() else { return };
    let _guard = monitor_runtime::logging::init().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        if routed == "yes" {
            send(&users().layer(HttpLayer::new()), "/users/7").await;
        }
        let answer = |_: Request<Body>| async {
            Ok::<_, std::convert::Infallible>(Response::new(Body::from("hello")))
        };
        let app = HttpLayer::new().layer(service_fn(answer));
        for id in 0..500 {
            let response = app.clone().oneshot(request(&format!("/hello/{id}"))).await.unwrap();
            response.into_body().collect().await.unwrap();
        }
    });
}

#[test]
fn a_service_whose_requests_have_no_route_is_warned_once() {
    for (routed, warnings) in [("no", 1), ("yes", 0)] {
        let output = SERVICE.command(routed).env("LOG_LEVEL", "info").output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{lines}");
        let warned: Vec<_> =
            lines.lines().filter(|line| line.contains("no request has had a matched route")).collect();
        assert_eq!(warned.len(), warnings, "{lines}");
        assert!(warned.iter().all(|line| line.contains("\"level\":\"warn\"") && line.contains("axum 0.8")));
    }
}
