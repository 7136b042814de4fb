//! Parameters of a readiness probe, and the token that shows its checks.

use axum::body::{Body, Bytes};
use http::{Method, Request, Response, header};
use http_body_util::BodyExt as _;
use monitor_runtime::Monitor;
use monitor_runtime::health::Policy;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::health::{failing, get, json as parsed, passing, request, settle};

/// One check that passes, one that fails, and one that fails and can be done without.
async fn mixed() -> Monitor {
    let monitor = Monitor::builder()
        .check(passing("cache"))
        .check(failing("database"))
        .check_with(Policy::non_critical(), failing("search"))
        .build()
        .unwrap();
    settle(&monitor).await;
    monitor
}

fn text(response: &Response<Bytes>) -> (u16, &str) {
    (response.status().as_u16(), std::str::from_utf8(response.body()).unwrap())
}

#[tokio::test]
async fn verbose_is_a_line_a_check_as_kubernetes_has_it() {
    let monitor = mixed().await;
    let response = get(&monitor, "/health/ready?verbose").await;
    assert_eq!(
        text(&response),
        (
            503,
            "[+]cache ok\n[-]database failed: reason withheld\n[+]search not critical: ok\nready check failed\n"
        )
    );
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn excluded_checks_do_not_count() {
    let monitor = mixed().await;
    let response = get(&monitor, "/health/ready?verbose&exclude=database").await;
    assert_eq!(
        text(&response),
        (200, "[+]cache ok\n[+]database excluded: ok\n[+]search not critical: ok\nready check passed\n")
    );
    let response = get(&monitor, "/health/ready?exclude=database&exclude=cache").await;
    let body = parsed(&response);
    assert_eq!((response.status().as_u16(), &body["status"]), (200, &json!("ready")));
    assert_eq!(body["checks"].as_object().unwrap().keys().collect::<Vec<_>>(), ["search"]);
    assert_eq!(body.get("warning"), None);
}

#[tokio::test]
async fn an_exclusion_of_what_is_not_there_is_warned_of() {
    let monitor = mixed().await;
    let query = "exclude=nothing&exclude=database&exclude=a%0Ab";
    let warning = r#"some health checks cannot be excluded: no matches for "a\nb","nothing""#;
    let (status, said) = (200, format!("warn: {warning}\nready check passed\n"));
    let response = get(&monitor, &format!("/health/ready?verbose&{query}")).await;
    assert_eq!(response.status(), status);
    assert!(text(&response).1.ends_with(&said), "{}", text(&response).1);
    let response = get(&monitor, &format!("/health/ready?{query}")).await;
    assert_eq!((response.status().as_u16(), &parsed(&response)["warning"]), (200, &json!(warning)));
}

#[tokio::test]
async fn each_check_has_a_route_that_answers_for_it_alone() {
    let monitor = mixed().await;
    for (name, status, word) in
        [("cache", 200, "ready"), ("database", 503, "not_ready"), ("search", 503, "not_ready")]
    {
        let response = get(&monitor, &format!("/health/ready/{name}")).await;
        let body = parsed(&response);
        assert_eq!((response.status().as_u16(), &body["status"]), (status, &json!(word)), "{name}");
        assert_eq!(body["checks"].as_object().unwrap().keys().collect::<Vec<_>>(), [name]);
        let head = request(&monitor, Method::HEAD, &format!("/health/ready/{name}")).await;
        assert_eq!((head.status().as_u16(), head.body().len()), (status, 0));
    }
}

#[tokio::test]
async fn an_unknown_check_is_404_with_a_list_of_the_known_ones() {
    let monitor = mixed().await;
    let response = get(&monitor, "/health/ready/nothing").await;
    assert_eq!(response.status(), 404);
    assert_eq!(
        parsed(&response),
        json!({ "error": "no check is named \"nothing\"", "checks": ["cache", "database", "search"] })
    );
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
}

/// Asks with an `authorization` header, if any.
async fn ask(monitor: &Monitor, path: &str, authorization: Option<&str>) -> Response<Bytes> {
    let mut request = Request::get(path);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let response = monitor.routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

async fn guarded() -> Monitor {
    let monitor = Monitor::builder().bearer_token("s3cret").check(failing("database")).build().unwrap();
    settle(&monitor).await;
    monitor
}

#[tokio::test]
async fn without_the_token_probes_show_status_but_no_checks() {
    let monitor = guarded().await;
    for authorization in [None, Some("Bearer wrong"), Some("s3cret")] {
        for (path, status, said) in [
            ("/health/live", 200, r#"{"status":"alive"}"#),
            ("/health/ready", 503, r#"{"status":"not_ready"}"#),
            ("/health/ready?exclude=database", 200, r#"{"status":"ready"}"#),
            ("/health/ready?verbose", 503, "ready check failed\n"),
            ("/health/ready/database", 503, r#"{"status":"not_ready"}"#),
            ("/health/ready/nothing", 404, r#"{"error":"no check is named \"nothing\""}"#),
            ("/health/startup", 503, r#"{"status":"starting"}"#),
        ] {
            let response = ask(&monitor, path, authorization).await;
            assert_eq!(text(&response), (status, said), "{path}");
        }
    }
}

#[tokio::test]
async fn metrics_need_the_token_and_probes_show_checks_with_it() {
    let monitor = guarded().await;
    for authorization in [None, Some("Bearer wrong"), Some("Basic s3cret")] {
        let response = ask(&monitor, "/health/metrics", authorization).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        assert!(!text(&response).1.contains("health_ready"));
    }
    let token = Some("Bearer s3cret");
    assert!(text(&ask(&monitor, "/health/metrics", token).await).1.contains("\nhealth_ready 0\n"));
    let body: Value = parsed(&ask(&monitor, "/health/ready", token).await);
    assert_eq!(body["checks"]["database"]["message"], "database is broken");
    let verbose = ask(&monitor, "/health/ready?verbose", token).await;
    assert_eq!(text(&verbose).1, "[-]database failed: reason withheld\nready check failed\n");
}

#[tokio::test]
async fn any_server_can_answer_as_the_routes_do() {
    let monitor = mixed().await;
    for path in
        ["/health/live", "/health/ready?verbose&exclude=a", "/health/ready/nothing", "/health/metrics"]
    {
        let request = Request::get(path).body(()).unwrap();
        let (answer, routed) = (monitor.answer(&request).unwrap(), get(&monitor, path).await);
        assert_eq!(answer.status(), routed.status(), "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], routed.headers()[header::CONTENT_TYPE], "{path}");
        assert!(path == "/health/metrics" || answer.body() == routed.body(), "{path}");
    }
    assert!(monitor.answer(&Request::get("/ask").body(()).unwrap()).is_none());
    let refused = monitor.answer(&Request::post("/health/ready").body(()).unwrap()).unwrap();
    assert_eq!(refused.status(), 405);
    assert_eq!(refused.headers()[header::ALLOW], "GET,HEAD");
}
