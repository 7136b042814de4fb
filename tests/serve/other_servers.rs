//! The layer, the routes and the stop under other servers, as docs/health.md shows them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use monitor_runtime::http::{HttpLayer, RequestId};
use monitor_runtime::{Monitor, metrics};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::{Layer as _, ServiceBuilder, service_fn};

use crate::support::tcp::eventually;
use crate::{ALONE, RELEASED, SOON, ask, in_flight, prompt, refuses_clients, signal_self};

fn app(monitor: &Monitor) -> Router {
    Router::new()
        .route("/quick", get(async || "quick"))
        .route("/slow", get(async || RELEASED.acquire().await.unwrap().forget()))
        .layer(monitor.layer())
        .merge(monitor.routes())
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Asserts that after a signal the request in flight finishes, and that the server then returns.
async fn drains(address: SocketAddr, server: JoinHandle<()>) {
    eventually("it answers", async || {
        ask(address, "/quick").await.is_ok_and(|answer| answer.ends_with("quick"))
    })
    .await;
    let slow = tokio::spawn(async move { ask(address, "/slow").await });
    in_flight(1).await;
    signal_self("-TERM");
    refuses_clients(address).await;
    assert!(!server.is_finished() && !slow.is_finished());
    RELEASED.add_permits(1);
    assert!(slow.await.unwrap().unwrap().starts_with("HTTP/1.1 200 "));
    tokio::time::timeout(SOON, server).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn axum_server_drains() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let (listener, address) = listen().await;
    let app = app(&monitor).into_make_service_with_connect_info::<SocketAddr>();
    let handle = axum_server::Handle::new();
    let server =
        axum_server::from_tcp(listener.into_std().unwrap()).unwrap().handle(handle.clone()).serve(app);
    let server = tokio::spawn(async move {
        tokio::spawn({
            let shutdown = monitor.shutdown();
            async move {
                shutdown.await;
                handle.graceful_shutdown(None);
            }
        });
        tokio::select! {
            outcome = server => outcome.unwrap(),
            () = monitor.drained() => {}
        }
        monitor.drained().await;
    });
    drains(address, server).await;
}

#[tokio::test]
async fn the_graceful_shutdown_of_hyper_util_drains() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let (listener, address) = listen().await;
    let service = TowerToHyperService::new(app(&monitor));
    let server = tokio::spawn(async move {
        let (builder, graceful) = (Builder::new(TokioExecutor::new()), GracefulShutdown::new());
        let mut shutdown = pin!(monitor.shutdown());
        loop {
            let (client, _) = tokio::select! {
                accepted = listener.accept() => accepted.unwrap(),
                () = &mut shutdown => break,
            };
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(client), service.clone());
            tokio::spawn(graceful.watch(connection.into_owned()));
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = monitor.drained() => {}
        }
        monitor.drained().await;
    });
    drains(address, server).await;
}

/// Serves with hyper alone, without a router or a body of axum.
async fn serve_alone(layer: HttpLayer) -> SocketAddr {
    let (listener, address) = listen().await;
    let answer = async |request: Request<Incoming>| {
        let id = request.extensions().get::<RequestId>().map(RequestId::to_string);
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(id.unwrap_or_default()))))
    };
    let service = TowerToHyperService::new(layer.layer(service_fn(answer)));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let builder = hyper::server::conn::http1::Builder::new();
            tokio::spawn(builder.serve_connection(TokioIo::new(client), service.clone()));
        }
    });
    address
}

fn counted(endpoint: &str) -> u64 {
    let series = format!("http_requests_total{{method=\"GET\",endpoint=\"{endpoint}\",status=\"200\"}} ");
    metrics::render().lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |n| n.parse().unwrap())
}

#[tokio::test]
async fn the_layer_works_under_hyper_alone() {
    let _alone = ALONE.lock().await;
    let layer = HttpLayer::new()
        .endpoint(|request| request.uri().path().starts_with("/alone/").then(|| "/alone/{id}".into()));
    let address = serve_alone(layer).await;
    let before = counted("unmatched");
    let answer = ask(address, "/alone/7").await.unwrap();
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("it has an id");
    assert!(answer.ends_with(&format!("\r\n\r\n{id}")), "the service has the same: {answer}");
    assert!(ask(address, "/elsewhere").await.unwrap().starts_with("HTTP/1.1 200 "));
    assert_eq!((counted("/alone/{id}"), counted("unmatched") - before), (1, 1));
}

#[tokio::test]
async fn a_router_behind_a_service_under_hyper_gives_its_templates() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let inner = Router::new().route("/hyper/{id}", get(async || "inner")).layer(monitor.layer());
    let trim = |mut request: Request<Incoming>| {
        let path = request.uri().path().trim_end_matches('/').to_owned();
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    let app = Router::new().nest_service("/svc", inner);
    let service = ServiceBuilder::new().layer(monitor.layer()).map_request(trim).service(app);
    let service = TowerToHyperService::new(service);
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let builder = Builder::new(TokioExecutor::new());
            let (client, service) = (TokioIo::new(client), service.clone());
            tokio::spawn(async move { builder.serve_connection(client, service).await.unwrap() });
        }
    });
    assert!(ask(address, "/svc/hyper/7/").await.unwrap().ends_with("\r\n\r\ninner"));
    assert_eq!(counted("/svc/hyper/{id}"), 1);
}
