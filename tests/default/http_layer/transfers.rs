//! Bodies too large for the buffers of the kernel, between a real server and clients that read or send slowly, or give up.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{any, get};
use axum::{Json, Router};
use futures_util::stream;
use http::StatusCode;
use http_body_util::BodyExt as _;
use monitor_runtime::http::HttpLayer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::http_layer::recorded::{Recorded, eventually, in_flight};
use crate::support::exposition::Exposition;

/// The buffer size requested from the kernel on either side; the kernel doubles it.
const BUFFER: u32 = 16 * 1_024;

/// Bodies that neither buffer has room for, from one frame and from many.
const BODIES: [(&str, usize); 5] = [
    ("/text/200000", 200_000),
    ("/text/5000000", 5_000_000),
    ("/text/20000000", 20_000_000),
    ("/json/600000", 600_000 + 2),
    ("/stream/3000000", 3_000_000),
];

fn serve(app: Router) -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    // A connection has what the listener has.
    socket.set_send_buffer_size(BUFFER).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(64).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app.layer(HttpLayer::new())).await });
    address
}

fn downloads() -> Router {
    type Size = axum::extract::Path<usize>;
    let streamed = |size: usize| {
        let frames = (0..3).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size / 3])));
        Body::from_stream(stream::iter(frames))
    };
    Router::new()
        .route("/text/{size}", get(async |size: Size| "x".repeat(size.0)))
        .route("/json/{size}", get(async |size: Size| Json("x".repeat(size.0))))
        .route("/stream/{size}", get(async move |size: Size| streamed(size.0)))
}

async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(BUFFER).unwrap();
    socket.connect(address).await.unwrap()
}

async fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut client = connect(address).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    client
}

/// Waits for the response's head: the body is on its way then.
async fn read_head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn route(path: &str) -> String {
    format!("{}/{{size}}", &path[..path.rfind('/').unwrap()])
}

#[tokio::test]
async fn a_response_is_in_flight_until_a_slow_client_has_read_it() {
    for (path, size) in BODIES {
        let recorded = Recorded::start().await;
        let mut client = ask(serve(downloads()), path).await;
        read_head(&mut client).await;
        // Time enough for what is sent without being read.
        sleep(Duration::from_millis(200)).await;
        recorded.still_open();
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();

        let data = read.split(|byte| *byte == b'x').count() - 1;
        assert_eq!(data, size - usize::from(path.starts_with("/json")) * 2, "{path}");
        recorded.expect_soon(&[&format!("GET {} 200 = 1", route(path))]).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_a_body_of_one_frame_counts_as_499() {
    for (path, _) in BODIES {
        let recorded = Recorded::start().await;
        let address = serve(downloads());
        for _ in 0..3 {
            let mut client = ask(address, path).await;
            read_head(&mut client).await;
            client.read_exact(&mut [0; 10_000]).await.unwrap();
        }

        recorded.expect_soon(&[&format!("GET {} 499 = 3", route(path))]).await;
    }
}

#[tokio::test]
async fn a_body_read_later_is_timed_until_then() {
    let recorded = Recorded::start().await;
    let sum = || {
        let series = "http_request_duration_seconds_sum{method=\"GET\",endpoint=\"/text/{size}\"}";
        let text = monitor_runtime::metrics::render();
        Exposition::read_family(&text, "http_request_duration_seconds").at(series).unwrap_or_default()
    };
    let before = sum();
    let mut client = ask(serve(downloads()), "/text/200000").await;
    // The request is timed from before its head was answered.
    read_head(&mut client).await;
    sleep(Duration::from_millis(700)).await;
    client.read_to_end(&mut Vec::new()).await.unwrap();

    recorded.expect_soon(&["GET /text/{size} 200 = 1"]).await;
    assert!(sum() - before >= 0.6, "{} s", sum() - before);
}

/// Handlers that refuse a failed body, use its valid part, or leave it alone.
fn uploads() -> Router {
    let lenient = async |request: Request| match request.into_body().collect().await {
        Ok(_) => StatusCode::OK,
        Err(_) => StatusCode::ACCEPTED,
    };
    let panicking = async |request: Request| match request.into_body().collect().await {
        Ok(_) => StatusCode::OK,
        Err(error) => panic!("{error}"),
    };
    Router::new()
        .route("/strict", any(async |body: Bytes| body.len().to_string()))
        .route("/lenient", any(lenient))
        .route("/panicking", any(panicking))
        .route("/ignoring", any(async || "fine"))
}

/// How a client begins a body of ten bytes or more.
const BEGUN: [&str; 2] =
    ["content-length: 10\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"];

async fn send(address: SocketAddr, path: &str, begun: &str) -> TcpStream {
    let mut client = connect(address).await;
    client.write_all(format!("POST {path} HTTP/1.1\r\nhost: test\r\n{begun}").as_bytes()).await.unwrap();
    client
}

/// The same, for a request whose handler waits for the rest.
async fn begin(address: SocketAddr, path: &str, begun: &str) -> TcpStream {
    let client = send(address, path, begun).await;
    eventually(|| in_flight() == "1").await;
    client
}

#[tokio::test]
async fn an_upload_that_the_client_gives_up_counts_as_499() {
    for path in ["/strict", "/lenient"] {
        for begun in BEGUN {
            let recorded = Recorded::start().await;
            let address = serve(uploads());
            let mut ends = begin(address, path, begun).await;
            ends.shutdown().await.unwrap();
            // It may still read what it is answered, or not be answered at all.
            let _ = timeout(Duration::from_secs(30), ends.read_to_end(&mut Vec::new())).await.unwrap();
            eventually(|| in_flight() == "0").await;
            let resets = begin(address, path, begun).await;
            resets.set_zero_linger().unwrap();
            drop(resets);

            recorded.expect_soon(&[&format!("POST {path} 499 = 2")]).await;
        }
    }
}

#[tokio::test]
async fn a_handler_that_panics_over_a_lost_upload_counts_as_500() {
    let recorded = Recorded::start().await;
    let mut client = begin(serve(uploads()), "/panicking", BEGUN[0]).await;
    client.shutdown().await.unwrap();

    recorded.expect_soon(&["POST /panicking 500 = 1"]).await;
}

#[tokio::test]
async fn an_upload_that_arrives_has_the_responses_status() {
    let recorded = Recorded::start().await;
    let address = serve(uploads());
    for (path, rest) in [("/strict", "length"), ("/lenient", "length")] {
        let mut client = begin(address, path, BEGUN[0]).await;
        client.write_all(rest.as_bytes()).await.unwrap();
        assert!(read_head(&mut client).await.starts_with("HTTP/1.1 200 "));
        eventually(|| in_flight() == "0").await;
    }

    recorded.expect_soon(&["POST /lenient 200 = 1", "POST /strict 200 = 1"]).await;
}

#[tokio::test]
async fn a_body_that_breaks_a_rule_has_the_responses_status() {
    let recorded = Recorded::start().await;
    let mut client = begin(serve(uploads()), "/strict", BEGUN[1]).await;
    client.write_all(b"no length\r\n").await.unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 400 "));

    recorded.expect_soon(&["POST /strict 400 = 1"]).await;
}

#[tokio::test]
async fn a_body_past_the_limit_has_the_responses_status() {
    let recorded = Recorded::start().await;
    let app = uploads().layer(axum::extract::DefaultBodyLimit::max(3));
    let mut client = send(serve(app), "/strict", BEGUN[1]).await;
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 413 "));

    recorded.expect_soon(&["POST /strict 413 = 1"]).await;
}

#[tokio::test]
async fn a_handler_that_reads_no_body_has_the_responses_status() {
    let recorded = Recorded::start().await;
    let mut client = send(serve(uploads()), "/ignoring", BEGUN[0]).await;
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 200 "));
    drop(client);

    recorded.expect_soon(&["POST /ignoring 200 = 1"]).await;
}
