//! The paths of the monitor's routes, with a base path and without one.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::get;
use http::{Request, StatusCode};
use monitor_runtime::{Monitor, metrics};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::support::tcp::eventually;
use crate::{ALONE, LONG, ask, ended, prompt, refuses_clients, signal_self};

const ROUTES: [&str; 4] = ["/health/live", "/health/ready", "/health/startup", "/health/metrics"];

fn count_of_requests() -> u64 {
    let text = metrics::render();
    let counts = text.lines().filter(|line| line.starts_with("http_requests_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

async fn status(app: Router, path: &str) -> StatusCode {
    app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn below_a_base_path_all_answer_and_no_probe_is_counted() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().base_path("/internal/v1").admin_port(0).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, admin) = (listener.local_addr().unwrap(), monitor.admin_address().unwrap());
    let serving = monitor.clone();
    let app = Router::new().route("/quick", get(async || "quick"));
    let server = tokio::spawn(async move { serving.serve(listener, app).await });
    ask(address, "/quick").await.unwrap();

    let before = count_of_requests();
    for route in ROUTES {
        let path = format!("/internal/v1{route}");
        for address in [address, admin] {
            assert!(ask(address, &path).await.unwrap().starts_with("HTTP/1.1 200 "), "{path}");
            assert!(ask(address, route).await.unwrap().starts_with("HTTP/1.1 404 "), "{route}");
        }
        assert_eq!(status(monitor.routes(), &path).await, StatusCode::OK);
        assert!(monitor.answer(&Request::get(&path).body(()).unwrap()).is_some(), "{path}");
        assert!(monitor.answer(&Request::get(route).body(()).unwrap()).is_none(), "{route}");
    }
    let unknown = ask(address, "/internal/v1/health/ready/none").await.unwrap();
    assert!(unknown.starts_with("HTTP/1.1 404 ") && unknown.contains("none"), "{unknown}");
    // A probe's path that no router matches is not counted, as without a base path.
    assert_eq!(count_of_requests(), before);

    signal_self("-TERM");
    ended(server).await;
}

#[tokio::test]
async fn a_scrape_below_a_base_path_does_not_hold_up_a_stop() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().shutdown_timeout(LONG).base_path("/internal").build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { monitor.serve(listener, Router::new()).await });
    eventually("it answers", async || ask(address, "/internal/health/live").await.is_ok()).await;
    let mut client = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut client, b"GET /internal/health/metrics HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    ask(address, "/internal/health/live").await.unwrap();
    signal_self("-TERM");
    refuses_clients(address).await;
    ended(server).await;
}

#[tokio::test]
async fn routes_fit_a_router_with_a_state_and_nest_anywhere() {
    let _alone = ALONE.lock().await;
    let monitor = Monitor::builder().build().unwrap();
    let based = Monitor::builder().base_path("/deep").build().unwrap();
    let app = Router::new()
        .route("/state", get(async |State(state): State<u16>| state.to_string()))
        .nest("/internal", monitor.routes())
        .nest("/below", based.routes())
        .merge(monitor.routes())
        .with_state(7_u16)
        .layer(monitor.layer());
    let before = count_of_requests();
    for route in ROUTES {
        for prefix in ["", "/internal", "/below/deep"] {
            assert_eq!(
                status(app.clone(), &format!("{prefix}{route}")).await,
                StatusCode::OK,
                "{prefix}{route}"
            );
        }
    }
    assert_eq!(count_of_requests(), before);
    assert_eq!(status(app, "/state").await, StatusCode::OK);
    assert_eq!(count_of_requests(), before + 1);
}

#[tokio::test]
async fn the_layer_does_not_count_answers_below_a_base_path() {
    let _alone = ALONE.lock().await;
    let monitor = Monitor::builder().base_path("/internal").build().unwrap();
    let before = count_of_requests();
    let layer = monitor.layer();
    let service = service_fn(move |request: Request<()>| {
        let answer = monitor.answer(&request).map(|answer| answer.map(http_body_util::Full::new));
        std::future::ready(answer.ok_or("no route of the monitor"))
    });
    let request = Request::get("/internal/health/live").body(()).unwrap();
    assert_eq!(layer.layer(service).oneshot(request).await.unwrap().status(), StatusCode::OK);
    assert_eq!(count_of_requests(), before);
}

#[test]
fn a_base_path_that_is_none_is_refused() {
    for path in ["internal", "/internal/", "/", "/{id}", "/a//b", "/a?b"] {
        let refused = Monitor::builder().base_path(path).build().expect_err("refused").to_string();
        assert_eq!(
            refused,
            format!(
                "invalid base path {path:?}; expected one or more segments of letters, digits and `-._~`, each after a `/`, such as `/internal`"
            )
        );
    }
    assert!(Monitor::builder().base_path("").build().is_ok());
}
