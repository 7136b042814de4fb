//! Limits on connections: the answers to clients, and the end of connections without progress.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::serve::{Listener, ListenerExt as _};
use futures_util::stream;
use hyper_util::rt::TokioIo;
use monitor_runtime::{ConnectionLimits, Monitor, metrics};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::exposition::Exposition;
use crate::support::tcp::eventually;
use crate::{ALONE, SOON, ask, prompt};

/// A limit of time that passes while a test waits.
const SHORT: Duration = Duration::from_millis(400);

/// More than one read takes up of an answer, and more than the kernel keeps for a client.
const LARGE: usize = 32 << 20;

fn app() -> Router {
    let ticks = async || {
        let ticks = stream::unfold((), async |()| {
            sleep(SHORT).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"tick")), ()))
        });
        Body::from_stream(ticks)
    };
    Router::new()
        .route("/quick", get(async || "quick"))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route("/large", get(async || vec![b'.'; LARGE]))
        .route("/ticks", get(ticks))
        .route("/slow", get(async || sleep(Duration::from_millis(100)).await))
        .route("/held", get(async || std::future::pending::<()>().await))
        .route("/echo", any(echo))
        .route("/client", get(async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.to_string()))
}

/// A `WebSocket` from the server's side: an upgrade, and bytes both ways.
pub(crate) async fn echo(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut connection = TokioIo::new(upgrade.await.unwrap());
        let mut bytes = [0; 64];
        while let Ok(read @ 1..) = connection.read(&mut bytes).await {
            if bytes.starts_with(FLOOD) {
                connection.write_all(&vec![b'.'; LARGE]).await.unwrap();
            }
            connection.write_all(&bytes[..read]).await.unwrap();
        }
    });
    let response =
        Response::builder().status(101).header("connection", "upgrade").header("upgrade", "websocket");
    response.body(Body::empty()).unwrap()
}

/// Serves for as long as the runtime lives.
fn spawn<L>(limits: ConnectionLimits, listener: L, app: Router) -> JoinHandle<io::Result<()>>
where
    L: Listener,
    L::Addr: Clone + Sync,
{
    let monitor = prompt().connection_limits(limits).build().unwrap();
    tokio::spawn(async move { monitor.serve(listener, app).await })
}

async fn serve(limits: ConnectionLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(limits, listener, app());
    // A server registers its counters when it starts; without a neighbour in the process no other one has done so.
    let counts = async || metrics::render().contains("http_connections_closed_total{listener=\"main\"");
    eventually("the server counts", counts).await;
    address
}

async fn connect(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(bytes.as_bytes()).await.unwrap();
    connection
}

/// Everything until the server closes the connection, or its reset.
async fn rest(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(SOON, connection.read_to_end(&mut bytes)).await.expect("it is closed");
    drop(read);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn closed_for(reason: &str) -> u64 {
    let series = format!("http_connections_closed_total{{listener=\"main\",reason=\"{reason}\"}}");
    Exposition::read(&metrics::render()).count(&series).expect("it is shown from the start on")
}

/// Has the echo send more than a client's kernel takes.
const FLOOD: &[u8] = b"flood";

const REQUEST: &str = "GET /quick HTTP/1.1\r\nhost: test\r\n\r\n";
const HALF_A_HEAD: &str = "GET /quick HTTP/1.1\r\nhost: test\r\nx-a: ";
const UPGRADE: &str = "GET /echo HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

#[tokio::test]
async fn handlers_find_the_address_of_a_tcp_client() {
    let _alone = ALONE.lock().await;
    let limits = ConnectionLimits::new();
    let tapped = TcpListener::bind("127.0.0.1:0").await.unwrap().tap_io(|tcp| tcp.set_nodelay(true).unwrap());
    let address = tapped.local_addr().unwrap();
    spawn(limits, tapped, app());
    for address in [serve(limits).await, address] {
        let mut client =
            connect(address, "GET /client HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
        let own = client.local_addr().unwrap().to_string();
        let answer = rest(&mut client).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{own}")), "{own}: {answer}");
    }
}

/// A listener that is not tokio's, and calls its clients by a name.
struct Named(TcpListener);

#[derive(Clone)]
struct Name(&'static str);

impl Listener for Named {
    type Io = TcpStream;
    type Addr = Name;

    async fn accept(&mut self) -> (TcpStream, Name) {
        (Listener::accept(&mut self.0).await.0, Name("somebody"))
    }

    fn local_addr(&self) -> io::Result<Name> {
        Ok(Name("here"))
    }
}

#[tokio::test]
async fn unix_sockets_and_listeners_of_ones_own_are_served() {
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let unnamed = async |ConnectInfo(client): ConnectInfo<tokio::net::unix::SocketAddr>| {
        client.is_unnamed().to_string()
    };
    let app = Router::new().route("/client", get(unnamed));
    spawn(ConnectionLimits::new(), UnixListener::bind(&path).unwrap(), app);
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(b"GET /client HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("\r\n\r\ntrue"), "{answer}");

    let listener = Named(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.0.local_addr().unwrap();
    let name = async |ConnectInfo(Name(name)): ConnectInfo<Name>| name;
    spawn(ConnectionLimits::new(), listener, Router::new().route("/client", get(name)));
    assert!(ask(address, "/client").await.unwrap().ends_with("\r\n\r\nsomebody"));
}

#[tokio::test]
async fn a_head_that_is_not_whole_in_time_ends_its_connection() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new().head_timeout(SHORT)).await;
    let before = closed_for("head_timeout");
    let silent = tokio::spawn(async move { rest(&mut connect(address, "").await).await });
    let half = tokio::spawn(async move { rest(&mut connect(address, HALF_A_HEAD).await).await });
    let trickling = tokio::spawn(async move {
        let mut client = connect(address, HALF_A_HEAD).await;
        while client.write_all(b".").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    for client in [silent, half] {
        assert_eq!(client.await.unwrap(), "");
    }
    timeout(SOON, trickling).await.expect("bytes alone do not keep it").unwrap();
    assert!(closed_for("head_timeout") >= before + 3);
    assert!(ask(address, "/quick").await.unwrap().ends_with("quick"));
}

#[tokio::test]
async fn a_second_head_has_its_time_as_well() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new().head_timeout(SHORT)).await;
    let mut client = connect(address, REQUEST).await;
    sleep(3 * SHORT).await;
    client.write_all(HALF_A_HEAD.as_bytes()).await.unwrap();
    let answers = rest(&mut client).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 1, "{answers}");
}

#[tokio::test]
async fn a_connection_without_a_next_request_is_kept_for_so_long() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new().idle_timeout(SHORT)).await;
    let before = closed_for("idle_timeout");
    let mut client = connect(address, REQUEST).await;
    assert!(rest(&mut client).await.ends_with("quick"));
    assert!(closed_for("idle_timeout") > before);
}

#[tokio::test]
async fn a_body_that_comes_to_a_halt_fails_and_a_slow_one_does_not() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new().body_timeout(SHORT)).await;
    let head = "POST /length HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 10\r\n\r\n";
    let mut halting = connect(address, &format!("{head}half")).await;
    let answer = rest(&mut halting).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let mut slow = connect(address, head).await;
    for _ in 0..10 {
        sleep(SHORT / 4).await;
        slow.write_all(b".").await.unwrap();
    }
    let answer = rest(&mut slow).await;
    assert!(answer.ends_with("\r\n\r\n10"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_answer_is_cut_and_a_slowly_read_one_is_not() {
    let _alone = ALONE.lock().await;
    // Segments on the loopback are large, and a client that is slow here is told to be so by a busy machine as well.
    let address = serve(ConnectionLimits::new().write_timeout(5 * SHORT)).await;
    let request = "GET /large HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let before = closed_for("write_timeout");
    let _unread = connect(address, request).await;
    let slow = tokio::spawn(async move {
        let (mut client, mut read, mut part) = (connect(address, request).await, 0, vec![0; 1 << 20]);
        loop {
            match client.read(&mut part).await.expect("it is not cut") {
                0 => return read,
                length => read += length,
            }
            // The whole read exceeds the limit, while no single pause does.
            sleep(SHORT / 8).await;
        }
    });
    assert!(slow.await.unwrap() > LARGE);
    eventually("the other was given up", async || closed_for("write_timeout") > before).await;
}

#[tokio::test]
async fn streams_and_upgraded_connections_outlive_every_limit() {
    let _alone = ALONE.lock().await;
    let limits = ConnectionLimits::new()
        .head_timeout(SHORT)
        .body_timeout(SHORT)
        .write_timeout(SHORT)
        .idle_timeout(SHORT);
    let address = serve(limits).await;
    let mut ticks = connect(address, "GET /ticks HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let mut socket = connect(address, UPGRADE).await;
    sleep(3 * SHORT).await;
    let (mut read, mut bytes) = (String::new(), [0; 1_024]);
    while read.matches("tick").count() < 5 {
        let length = timeout(SOON, ticks.read(&mut bytes)).await.unwrap().unwrap();
        assert_ne!(length, 0, "it was closed after {read}");
        read.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    socket.write_all(b"still here").await.unwrap();
    let mut echoed = String::new();
    while !echoed.ends_with("still here") {
        let length = timeout(SOON, socket.read(&mut bytes)).await.unwrap().unwrap();
        assert_ne!(length, 0, "it was closed after {echoed}");
        echoed.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    socket.write_all(FLOOD).await.unwrap();
    sleep(4 * SHORT).await;
    let mut flood = vec![0; LARGE];
    timeout(SOON, socket.read_exact(&mut flood)).await.unwrap().expect("its client may take its time");
}

#[tokio::test]
async fn at_the_limit_the_one_that_waited_longest_makes_room() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new().connections(2)).await;
    let before = closed_for("made_room");
    let mut oldest = connect(address, HALF_A_HEAD).await;
    sleep(Duration::from_millis(50)).await;
    let _younger = connect(address, HALF_A_HEAD).await;
    assert!(ask(address, "/quick").await.unwrap().ends_with("quick"));
    assert_eq!(rest(&mut oldest).await, "");
    assert!(closed_for("made_room") > before);
}

#[tokio::test]
async fn if_all_are_being_answered_a_new_one_is_told_so_and_closed() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new().connections(2)).await;
    let held = "GET /held HTTP/1.1\r\nhost: test\r\n\r\n";
    let _held = [connect(address, held).await, connect(address, held).await];
    let refused = async || rest(&mut connect(address, "").await).await.starts_with("HTTP/1.1 503 ");
    eventually("it refuses", refused).await;
    let refused = r#"http_connections_refused_total{listener="main",reason="limit"}"#;
    assert!(Exposition::read(&metrics::render()).count(refused) > Some(0));
}

#[tokio::test]
async fn a_client_that_ends_its_side_is_answered_if_that_is_quick() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new().half_close_timeout(SOON)).await;
    for request in [
        "GET /slow HTTP/1.1\r\nhost: test\r\n\r\n",
        "POST /length HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
    ] {
        let mut client = connect(address, request).await;
        client.shutdown().await.unwrap();
        let answer = rest(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test]
async fn a_half_closed_client_gets_probes_and_immediate_answers() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new()).await;
    for path in ["/quick", "/health/live", "/health/metrics"] {
        let mut client = connect(address, &format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        client.shutdown().await.unwrap();
        let answer = rest(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_half_closed_client_gets_a_long_answer_whole() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new()).await;
    let mut client = connect(address, "GET /large HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    client.shutdown().await.unwrap();
    // The server has heard of the end before it has written all.
    sleep(SHORT).await;
    let answer = rest(&mut client).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), LARGE);
}

#[tokio::test]
async fn a_stream_that_waits_ends_with_its_client() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new()).await;
    let mut client = connect(address, "GET /ticks HTTP/1.1\r\nhost: test\r\n\r\n").await;
    client.shutdown().await.unwrap();
    assert!(!rest(&mut client).await.ends_with("0\r\n\r\n"), "it was cut off");
}

#[tokio::test]
async fn a_server_that_ends_leaves_the_connections_of_others_alone() {
    let _alone = ALONE.lock().await;
    let monitor = prompt().build().unwrap();
    let serve = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, monitor) = (listener.local_addr().unwrap(), monitor.clone());
        let server = tokio::spawn(async move { monitor.serve(listener, app()).await });
        assert!(ask(address, "/quick").await.unwrap().ends_with("quick"));
        (address, server)
    };
    let (ended, beside) = (serve().await, serve().await);
    let mut client = connect(beside.0, REQUEST).await;
    read_quick(&mut client).await;
    ended.1.abort();
    assert!(ended.1.await.unwrap_err().is_cancelled());
    // Begun after it, while the stop that they share is waited for.
    let after = serve().await;
    for mut client in [client, connect(beside.0, REQUEST).await, connect(after.0, REQUEST).await] {
        for _ in 0..2 {
            client.write_all(REQUEST.as_bytes()).await.unwrap();
            read_quick(&mut client).await;
        }
    }
}

/// Reads one answer to [`REQUEST`], after which the connection is to go on.
async fn read_quick(client: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nquick") {
        let read = timeout(SOON, client.read_buf(&mut answer)).await.unwrap().unwrap();
        assert_ne!(read, 0, "closed after {}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_on_connecting_do_not_hold_the_stop() {
    let _alone = ALONE.lock().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = spawn(ConnectionLimits::new(), listener, app());
    ask(address, "/quick").await.unwrap();
    crate::signal_self("-TERM");
    let mut answered = 0;
    while ask(address, "/quick").await.is_ok() {
        answered += 1;
    }
    crate::ended(server).await;
    assert!(answered < 2_000, "{answered} answered after the signal");
}

#[tokio::test]
async fn a_client_that_left_is_noticed_soon_after() {
    let _alone = ALONE.lock().await;
    let address = serve(ConnectionLimits::new()).await;
    drop(connect(address, "GET /held HTTP/1.1\r\nhost: test\r\n\r\n").await);
    let left = "http_requests_total{method=\"GET\",endpoint=\"/held\",status=\"499\"} ";
    eventually("it counts as 499", async || metrics::render().contains(left)).await;
}

#[test]
fn limits_of_nothing_are_refused() {
    let refusal = |limits| Monitor::builder().connection_limits(limits).build().unwrap_err().to_string();
    assert_eq!(
        refusal(ConnectionLimits::new().connections(0)),
        "the limit on connections is zero; expected at least 1, or no limit set: the free file descriptors then decide"
    );
    for (limits, setting) in [
        (ConnectionLimits::new().head_timeout(Duration::ZERO), "head_timeout"),
        (ConnectionLimits::new().body_timeout(Duration::ZERO), "body_timeout"),
        (ConnectionLimits::new().write_timeout(Duration::ZERO), "write_timeout"),
        (ConnectionLimits::new().idle_timeout(Duration::ZERO), "idle_timeout"),
    ] {
        assert_eq!(
            refusal(limits),
            format!(
                "the {setting} of connections is zero; expected a longer one, such as 30s, or `Duration::MAX` for no limit"
            )
        );
    }
    let endless = ConnectionLimits::new().head_timeout(Duration::MAX).body_timeout(Duration::MAX);
    Monitor::builder()
        .connection_limits(endless.write_timeout(Duration::MAX).idle_timeout(Duration::MAX))
        .build()
        .unwrap();
}

#[tokio::test]
async fn without_limits_of_time_requests_are_served() {
    let _alone = ALONE.lock().await;
    let endless = ConnectionLimits::new().head_timeout(Duration::MAX).body_timeout(Duration::MAX);
    let address = serve(endless.write_timeout(Duration::MAX).idle_timeout(Duration::MAX)).await;
    let mut client = connect(address, "POST /length HTTP/1.0\r\ncontent-length: 2\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    client.write_all(b"ok").await.unwrap();
    assert!(rest(&mut client).await.ends_with("\r\n\r\n2"));
}
