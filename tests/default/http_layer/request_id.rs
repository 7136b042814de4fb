//! The request's id: taken or made, given to handlers, bound to log lines, returned.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use monitor_runtime::http::{HttpLayer, RequestId};
use tower::ServiceExt as _;

use crate::http_layer::recorded::Recorded;

/// A request with these `x-request-id` headers.
fn with_ids(path: &str, ids: &[&[u8]]) -> Request<Body> {
    let request = Request::builder().uri(path);
    let request = ids.iter().fold(request, |request, id| request.header("x-request-id", *id));
    request.body(Body::empty()).unwrap()
}

fn returned<B>(response: &Response<B>) -> Option<&str> {
    response.headers().get("x-request-id").map(|id| id.to_str().unwrap())
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

async fn echo(id: RequestId) -> String {
    id.to_string()
}

async fn echo_if_any(id: Option<RequestId>) -> String {
    id.map_or("none".to_owned(), |id| id.to_string())
}

fn app() -> Router {
    Router::new().route("/", get(echo)).route("/health/live", get(echo_if_any)).layer(HttpLayer::new())
}

/// Sends a request with these ids, and gives the id that handler and client both saw.
async fn id_given(ids: &[&[u8]]) -> String {
    let response = app().oneshot(with_ids("/", ids)).await.unwrap();
    let to_client = returned(&response).map(str::to_owned);
    let to_handler = text(response).await;
    assert_eq!(to_client.as_deref(), Some(&*to_handler));
    to_handler
}

#[tokio::test]
async fn an_id_that_comes_with_the_request_is_kept() {
    let _turn = Recorded::start().await;
    let longest = "x".repeat(128);

    for id in ["7", "a b", "0190b5c4-1f4e-7cc3", "~!@#$%^&*()\"\\", &longest] {
        assert_eq!(id_given(&[id.as_bytes()]).await, id);
    }
    assert_eq!(id_given(&[b"first", b"second"]).await, "first");
}

#[tokio::test]
async fn a_request_without_an_id_gets_one_of_its_own() {
    let _turn = Recorded::start().await;

    let (first, second) = (id_given(&[]).await, id_given(&[]).await);

    assert_ne!(first, second);
    assert_made(&first);
}

#[tokio::test]
async fn an_id_that_is_not_printable_or_too_long_is_replaced() {
    let _turn = Recorded::start().await;
    let long = [b'x'; 129];

    for id in [b"".as_slice(), b" ", b"a\tb", "caf\u{e9}".as_bytes(), b"\xff", &long] {
        assert_made(&id_given(&[id]).await);
    }
}

/// Asserts that the id is a UUID of version 7.
#[track_caller]
fn assert_made(id: &str) {
    let shape: String = id.chars().map(|c| if c.is_ascii_hexdigit() { 'x' } else { c }).collect();
    assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
    assert_eq!(&id[14..15], "7");
    assert_eq!(id, id.to_lowercase());
}

#[tokio::test]
async fn the_id_returned_is_the_one_logged_whatever_the_handler_says() {
    let _turn = Recorded::start().await;
    let answer = || async { [("x-request-id", "from-upstream")] };
    let app = Router::new().route("/", get(answer)).layer(HttpLayer::new());

    let response = app.oneshot(with_ids("/", &[b"ours"])).await.unwrap();

    assert_eq!(returned(&response), Some("ours"));
    assert_eq!(response.headers().get_all("x-request-id").iter().count(), 1);
}

#[tokio::test]
async fn probes_and_metrics_only_layers_leave_ids_alone() {
    let _turn = Recorded::start().await;
    let metrics_only = Router::new().route("/", get(echo_if_any)).layer(HttpLayer::metrics_only());

    for (app, path) in [(app(), "/health/live"), (metrics_only, "/")] {
        let response = app.oneshot(with_ids(path, &[b"theirs"])).await.unwrap();
        assert_eq!(returned(&response), None, "{path}");
        assert_eq!(text(response).await, "none", "{path}");
    }
}

#[tokio::test]
async fn a_request_id_without_a_layer_is_an_error_naming_the_layer() {
    let app = Router::new().route("/", get(echo));

    let response = app.oneshot(with_ids("/", &[])).await.unwrap();

    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(response).await.contains("put `HttpLayer::new()` around this route"));
}
