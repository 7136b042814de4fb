//! The layer in a real server on a real socket, with a client that speaks bytes.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream;
use http::{StatusCode, header};
use monitor_runtime::http::HttpLayer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::http_layer::bodies::{Script, Step};
use crate::http_layer::recorded::{Recorded, eventually, in_flight};

/// Serves the app, inside the layer, until the test's runtime ends.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app.layer(HttpLayer::new())).await });
    address
}

/// One connection of a client.
struct Client(TcpStream);

impl Client {
    async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn ask(&mut self, request_line: &str) {
        let request = format!("{request_line} HTTP/1.1\r\nhost: test\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
    }

    /// Reads up to the first bytes that end like this, and gives everything read.
    async fn read_to(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let byte = self.0.read_u8().await;
            read.push(
                byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&read))),
            );
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads to the end of the connection, whether closed in good order or not.
    async fn read_rest(&mut self) -> String {
        let mut read = Vec::new();
        // A reset tells as much as an end: what had come before is in `read`.
        let _ = self.0.read_to_end(&mut read).await;
        String::from_utf8(read).unwrap()
    }
}

/// A chunked response that sends what the test sends.
fn chunks() -> (mpsc::UnboundedSender<&'static str>, mpsc::UnboundedReceiver<&'static str>) {
    mpsc::unbounded_channel()
}

/// An app with one route, whose only response is that one.
fn one_response(path: &str, body: Body) -> Router {
    let mut body = Some(body);
    let body = std::sync::Arc::new(std::sync::Mutex::new(move || body.take()));
    Router::new().route(path, get(move || async move { Response::new((body.lock().unwrap())().unwrap()) }))
}

fn streamed(chunks: mpsc::UnboundedReceiver<&'static str>) -> Body {
    Body::from_stream(stream::unfold(chunks, |mut chunks| async {
        chunks.recv().await.map(|chunk| (Ok::<_, std::io::Error>(Bytes::from(chunk)), chunks))
    }))
}

#[tokio::test]
async fn requests_of_one_connection_are_counted_each() {
    let recorded = Recorded::start().await;
    let no_content = || async { (StatusCode::NO_CONTENT, ()) };
    let app = Router::new().route("/{id}", get(|| async { "hello" }).delete(no_content));
    let mut client = Client::to(serve(app).await).await;

    for id in 1..=3 {
        client.ask(&format!("GET /{id}")).await;
        assert!(client.read_to("hello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    client.ask("HEAD /4").await;
    assert!(client.read_to("\r\n\r\n").await.contains("content-length: 5\r\n"));
    client.ask("DELETE /5").await;
    assert!(client.read_to("\r\n\r\n").await.starts_with("HTTP/1.1 204 "));
    client.ask("BREW /6").await;
    assert!(client.read_to("\r\n\r\n").await.starts_with("HTTP/1.1 405 "));
    client.ask("GET /no/such/route").await;
    assert!(client.read_to("\r\n\r\n").await.starts_with("HTTP/1.1 404 "));

    recorded.expect(&[
        "DELETE /{id} 204 = 1",
        "GET /{id} 200 = 3",
        "GET unmatched 404 = 1",
        "HEAD /{id} 200 = 1",
        "OTHER /{id} 405 = 1",
    ]);
}

#[tokio::test]
async fn a_response_ends_with_the_last_byte_of_its_content_length() {
    let recorded = Recorded::start().await;
    let body = Body::new(Script::new([Step::Data("ab"), Step::Data("cde"), Step::Never]));
    let headed = |mut response: Response| async {
        response.headers_mut().insert(header::CONTENT_LENGTH, 5.into());
        response
    };
    let app = one_response("/file", body).layer(axum::middleware::map_response(headed));
    let mut client = Client::to(serve(app).await).await;

    client.ask("GET /file").await;
    client.read_to("\r\n\r\nabcde").await;

    recorded.expect(&["GET /file 200 = 1"]);
}

#[tokio::test]
async fn a_stream_counts_when_it_has_ended_not_when_it_has_begun() {
    let recorded = Recorded::start().await;
    let (send, chunks) = chunks();
    let mut client = Client::to(serve(one_response("/stream", streamed(chunks))).await).await;

    client.ask("GET /stream").await;
    for chunk in ["first", "second"] {
        send.send(chunk).unwrap();
        client.read_to(&format!("{chunk}\r\n")).await;
        recorded.still_open();
    }
    drop(send);
    client.read_to("0\r\n\r\n").await;

    recorded.expect(&["GET /stream 200 = 1"]);
}

#[tokio::test]
async fn a_stream_that_fails_counts_as_500_though_its_head_said_200() {
    let recorded = Recorded::start().await;
    let body = Body::new(Script::new([Step::Data("some"), Step::Fail]));
    let mut client = Client::to(serve(one_response("/broken", body)).await).await;

    client.ask("GET /broken").await;
    let received = client.read_rest().await;

    assert!(!received.ends_with("0\r\n\r\n"), "the client must see that it is cut off: {received}");
    recorded.expect_soon(&["GET /broken 500 = 1"]).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_body_counts_as_499() {
    let recorded = Recorded::start().await;
    let (send, chunks) = chunks();
    let mut client = Client::to(serve(one_response("/left", streamed(chunks))).await).await;

    client.ask("GET /left").await;
    send.send("first").unwrap();
    client.read_to("first\r\n").await;
    recorded.still_open();
    drop(client);

    recorded.expect_soon(&["GET /left 499 = 1"]).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_counts_as_499() {
    let recorded = Recorded::start().await;
    let app = Router::new().route("/waiting", get(|| async { std::future::pending::<()>().await }));
    let mut client = Client::to(serve(app).await).await;

    client.ask("GET /waiting").await;
    eventually(|| in_flight() == "1").await;
    recorded.still_open();
    drop(client);

    recorded.expect_soon(&["GET /waiting 499 = 1"]).await;
}

#[tokio::test]
async fn a_panicking_handler_counts_as_500_and_the_server_lives_on() {
    async fn panicking() -> &'static str {
        tokio::task::yield_now().await;
        panic!("the handler panicked on purpose")
    }
    let recorded = Recorded::start().await;
    let app = Router::new().route("/panics", get(panicking)).route("/lives", get(|| async { "yes" }));
    let address = serve(app).await;

    let mut client = Client::to(address).await;
    client.ask("GET /panics").await;
    assert_eq!(client.read_rest().await, "", "the connection ends without an answer");
    let mut client = Client::to(address).await;
    client.ask("GET /lives").await;
    client.read_to("\r\n\r\nyes").await;

    recorded.expect_soon(&["GET /lives 200 = 1", "GET /panics 500 = 1"]).await;
}
