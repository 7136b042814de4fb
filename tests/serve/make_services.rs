//! Everything that `axum::serve` takes, under `Monitor::serve`.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::handler::HandlerWithoutStateExt as _;
use axum::response::Response;
use axum::routing::get;
use axum::serve::Listener;
use axum::{Router, ServiceExt as _};
use monitor_runtime::{IncomingConnection, Monitor, metrics};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceBuilder, service_fn};

use crate::support::tcp::eventually;
use crate::{ALONE, ask, prompt, signal_self};

/// Serves `make_service` until a signal stops it, and returns the answer at `path`.
async fn served<M, S>(monitor: &Monitor, make_service: M, path: &str) -> String
where
    M: for<'a> Service<IncomingConnection<'a, TcpListener>, Response = S, Error = Infallible>
        + Send
        + 'static,
    for<'a> <M as Service<IncomingConnection<'a, TcpListener>>>::Future: Send,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = monitor.clone();
    let server = tokio::spawn(async move { serving.serve(listener, make_service).await });
    let live = ask(address, "/health/live").await.unwrap();
    assert!(live.ends_with("{\"status\":\"alive\"}"), "the routes are in front: {live}");
    let answer = ask(address, path).await.unwrap();
    let held = tokio::spawn(async move { ask(address, "/held").await });
    eventually("it is in flight", async || !metrics::render().contains("http_requests_in_flight 0\n")).await;
    signal_self("-TERM");
    eventually("it lets nobody in", async || TcpStream::connect(address).await.is_err()).await;
    assert!(!server.is_finished() && !held.is_finished(), "a request in flight is waited for");
    crate::RELEASED.add_permits(1);
    crate::ended(server).await;
    assert!(held.await.unwrap().unwrap().starts_with("HTTP/1.1 200 "));
    answer
}

async fn held() {
    crate::RELEASED.acquire().await.unwrap().forget();
}

fn counted(endpoint: &str) -> u64 {
    let series = format!("http_requests_total{{method=\"GET\",endpoint=\"{endpoint}\",status=\"200\"}} ");
    metrics::render().lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |n| n.parse().unwrap())
}

/// An application whose route is named after the test.
fn app(route: &str) -> Router {
    let client = async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.ip().to_string();
    Router::new().route(route, get(client)).route("/held", get(held))
}

#[tokio::test]
async fn the_make_service_of_a_router_is_served_as_the_router_is() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let answer = served(&monitor, app("/made/{id}").into_make_service(), "/made/1").await;
    assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    assert_eq!(counted("/made/{id}"), 1);
}

#[tokio::test]
async fn a_make_service_with_connect_info_tells_handlers_the_client() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let app = app("/informed/{id}").layer(monitor.layer());
    let make = app.into_make_service_with_connect_info::<SocketAddr>();
    let answer = served(&monitor, make, "/informed/1").await;
    assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    assert!(answer.contains("\r\nx-request-id: "), "it is under the layer: {answer}");
    assert_eq!(counted("/informed/{id}"), 1, "the layer inside names the route, and counts nothing twice");
}

/// The connection info of an application.
#[derive(Clone)]
struct Ports {
    own: u16,
    theirs: u16,
}

impl Connected<IncomingConnection<'_, TcpListener>> for Ports {
    fn connect_info(connection: IncomingConnection<'_, TcpListener>) -> Self {
        Self { own: connection.io().local_addr().unwrap().port(), theirs: connection.remote_addr().port() }
    }
}

#[tokio::test]
async fn a_type_of_ones_own_tells_of_the_connection() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let ports = async |ConnectInfo(ports): ConnectInfo<Ports>| {
        assert!(ports.own > 0 && ports.theirs > 0 && ports.own != ports.theirs);
        "both ports"
    };
    let app = Router::new().route("/ports", get(ports)).route("/held", get(held));
    let answer = served(&monitor, app.into_make_service_with_connect_info::<Ports>(), "/ports").await;
    assert!(answer.ends_with("\r\n\r\nboth ports"), "{answer}");
}

async fn any(request: Request) -> &'static str {
    if request.uri().path() == "/held" {
        held().await;
    }
    "anything"
}

#[tokio::test]
async fn a_method_router_and_a_handler_are_served() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    assert!(served(&monitor, get(any), "/x").await.ends_with("\r\n\r\nanything"));
    assert!(served(&monitor, any.into_make_service(), "/y").await.ends_with("\r\n\r\nanything"));
}

#[tokio::test]
async fn a_router_behind_a_rewriting_service_gives_its_templates() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let trim = |mut request: Request| {
        let path = request.uri().path().trim_end_matches('/').to_owned();
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    let app = app("/trimmed/{id}").layer(monitor.layer());
    let make = ServiceBuilder::new().map_request(trim).service(app).into_make_service();
    let answer = served(&monitor, make, "/trimmed/7/").await;
    assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    assert_eq!(counted("/trimmed/{id}"), 1);
}

#[tokio::test]
async fn each_connection_has_the_service_that_was_made_for_it() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let mut connections = 0;
    let make = service_fn(move |connection: IncomingConnection<'_, TcpListener>| {
        connections += 1;
        let (number, port) = (connections, connection.remote_addr().port());
        async move {
            let number = async move || format!("connection {number} {}", port > 0);
            Ok::<_, Infallible>(Router::new().route("/number", get(number)).route("/held", get(held)))
        }
    });
    // The first connection asked for liveness.
    assert!(served(&monitor, make, "/number").await.ends_with("\r\n\r\nconnection 2 true"));
}

/// `serve` takes every listener that it took before make-services.
#[allow(dead_code, reason = "the test is that it compiles")]
async fn listeners_need_not_have_connections_that_are_sync<L>(monitor: Monitor, listener: L)
where
    L: Listener,
    L::Addr: Clone + Sync,
{
    monitor.serve(listener, Router::new()).await.unwrap();
}
