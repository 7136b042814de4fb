//! `health::probe` against real sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use monitor_runtime::Monitor;
use monitor_runtime::health::{CheckError, ProbeError, check_fn, probe};

use crate::support::closed_port::ClosedPort;

/// Serves a monitor without an application from a thread of its own, until the process ends.
fn serve(monitor: impl FnOnce() -> Monitor + Send + 'static, address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, monitor().routes()).await.unwrap();
        });
    });
    address
}

fn healthy() -> Monitor {
    Monitor::builder().build().unwrap()
}

fn failing() -> Monitor {
    let check = check_fn("model", async || Err::<(), _>(CheckError::new("model is loading")));
    Monitor::builder().check(check).build().unwrap()
}

/// Answers one connection with these bytes and closes it.
fn answer_once(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        // Read before it is closed, or the client sees a reset in place of the answer.
        let _ = connection.read(&mut [0; 1_024]);
        connection.write_all(bytes).unwrap();
    });
    address
}

fn refusal(url: &str) -> String {
    probe(url).expect_err("not answered by 200").to_string()
}

#[test]
fn a_service_that_answers_200_passes_by_address_and_by_name() {
    let address = serve(healthy, "127.0.0.1:0");
    probe(&format!("http://{address}/health/live")).unwrap();
    probe(&format!("http://{address}/health/ready?verbose")).unwrap();
    probe(&format!("http://localhost:{}/health/live", address.port())).unwrap();
}

#[test]
fn a_service_on_ipv6_passes() {
    if TcpListener::bind("[::1]:0").is_err() {
        // A container without IPv6 says so at `bind`; what is left to see is that the probe says it too.
        assert!(refusal("http://[::1]:1/").starts_with("http://[::1]:1/ is unreachable: "));
        return;
    }
    let address = serve(healthy, "[::1]:0");
    probe(&format!("http://{address}/health/live")).unwrap();
}

#[test]
fn an_answer_other_than_200_is_told_with_its_body() {
    let url = format!("http://{}/health/ready", serve(failing, "127.0.0.1:0"));
    let body = || {
        let Err(ProbeError::Answered { status, body, .. }) = probe(&url) else {
            panic!("not answered by 503")
        };
        assert_eq!(status, 503);
        body
    };
    // Asked before the check has run once, it answers so as well.
    let start = Instant::now();
    let body = loop {
        let body = body();
        if !body.contains("\"pending\"") {
            break body;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "the check does not run: {body}");
        thread::sleep(Duration::from_millis(10));
    };
    assert!(body.contains("model is loading"), "{body}");
    assert!(refusal(&url).starts_with(&format!("{url} answered 503: {{\"status\":\"not_ready\"")));
}

#[test]
fn a_path_that_is_not_there_is_told_by_its_status() {
    let url = format!("http://{}/helth", serve(healthy, "127.0.0.1:0"));
    assert_eq!(refusal(&url), format!("{url} answered 404"));
}

#[test]
fn nobody_there_is_unreachable() {
    let closed = ClosedPort::take();
    let url = format!("http://{}/", closed.address);
    assert_eq!(refusal(&url), format!("{url} is unreachable: Connection refused (os error 111)"));
    assert!(refusal("http://no-such-host.invalid/").starts_with("http://no-such-host.invalid/ "));
}

#[test]
fn a_server_that_accepts_and_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    assert_eq!(refusal(&url), format!("{url} did not answer within 3s"));
}

#[test]
fn an_answer_that_is_no_http_is_one_error_line() {
    let url = format!("http://{}/", answer_once(b"SSH-2.0-OpenSSH_9.2\r\n\x1b[2J"));
    assert_eq!(refusal(&url), format!("{url} did not answer in HTTP: SSH-2.0-OpenSSH_9.2   [2J"));
}

#[test]
fn a_connection_that_ends_without_an_answer_is_unreachable() {
    let url = format!("http://{}/", answer_once(b""));
    assert!(refusal(&url).starts_with(&format!("{url} is unreachable: ")), "{}", refusal(&url));
}

#[test]
fn https_is_refused_with_the_way_out() {
    assert_eq!(
        refusal("https://localhost/health/live"),
        "invalid URL \"https://localhost/health/live\": TLS is not supported; ask the service itself rather than a \
         proxy in front of it; expected one such as http://127.0.0.1:3000/health/live"
    );
}
