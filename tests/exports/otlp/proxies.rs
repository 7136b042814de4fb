//! Proxies of the environment.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::otlp::certificates::Authority;
use crate::otlp::collector::Collector;
use crate::otlp::exits::{end, process};

/// A proxy for which every host is the collector.
struct Proxy {
    address: SocketAddr,
    /// The head of the first request of each connection.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn before(collector: &Collector) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, port) = (listener.local_addr().unwrap(), collector.port());
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&heads);
        thread::spawn(move || {
            for client in listener.incoming() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || pass(client.unwrap(), port, &kept));
            }
        });
        Self { address, heads }
    }

    /// Its address, with a user and a password.
    fn url(&self) -> String {
        format!("http://user:p%40ss@{}", self.address)
    }

    /// The first line of each request; every request names the user.
    fn asked(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        for head in &*heads {
            let head = head.to_ascii_lowercase();
            assert!(head.contains("\r\nproxy-authorization: basic dxnlcjpwqhnz\r\n"), "{head}");
        }
        heads.iter().map(|head| head.lines().next().unwrap().to_owned()).collect()
    }
}

fn pass(mut client: TcpStream, port: u16, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let text = String::from_utf8(head.clone()).unwrap();
    let mut collector = TcpStream::connect(("127.0.0.1", port)).unwrap();
    if text.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    } else {
        collector.write_all(&head).unwrap();
    }
    heads.lock().unwrap().push(text);
    let (mut from, mut to) = (client.try_clone().unwrap(), collector.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut collector, &mut client);
}

/// No metrics, so that each connection is that of the spans.
const SPANS_ALONE: (&str, &str) = ("OTEL_METRICS_EXPORTER", "none");

#[test]
fn without_tls_the_proxy_is_asked_for_the_whole_address() {
    let collector = Collector::start();
    let proxy = Proxy::before(&collector);
    let variables = [("HTTP_PROXY", &*proxy.url()), ("HTTPS_PROXY", "http://127.0.0.1:1"), SPANS_ALONE];
    end(process("http://vendor.test:4318/otlp?key=abc", 3, &variables));
    assert_eq!(collector.spans().len(), 3);
    assert_eq!(proxy.asked(), ["POST http://vendor.test:4318/otlp/v1/traces?key=abc HTTP/1.1"]);
}

#[test]
fn tls_and_grpc_go_through_a_tunnel() {
    let authority = Authority::new();
    let server = || authority.server(&["vendor.test"], false);
    let certificate = authority.certificate();
    for (collector, protocol, url) in [
        (Collector::secure(server()), "http/protobuf", "https://vendor.test"),
        (Collector::grpc(Some(server())), "grpc", "https://vendor.test"),
        (Collector::grpc(None), "grpc", "http://vendor.test:443"),
    ] {
        let proxy = Proxy::before(&collector);
        let variables = [
            ("ALL_PROXY", &*proxy.url()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate.to_str().unwrap()),
            SPANS_ALONE,
        ];
        end(process(url, 3, &variables));
        assert_eq!(collector.spans().len(), 3, "{protocol} {url}");
        assert_eq!(proxy.asked(), ["CONNECT vendor.test:443 HTTP/1.1"]);
    }
}

#[test]
fn a_collector_of_this_machine_or_of_no_proxy_is_asked_itself() {
    let collector = Collector::start();
    end(process(&collector.url(), 3, &[("ALL_PROXY", "http://127.0.0.1:1"), SPANS_ALONE]));
    assert_eq!(collector.spans().len(), 3);
    // This address reaches this machine too, but is no loopback address.
    let url = format!("http://0.0.0.0:{}", collector.port());
    end(process(&url, 3, &[("ALL_PROXY", "http://127.0.0.1:1"), SPANS_ALONE]));
    assert_eq!(collector.spans().len(), 3, "the proxy was asked");
    let variables = [("ALL_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "0.0.0.0/8"), SPANS_ALONE];
    end(process(&url, 3, &variables));
    assert_eq!(collector.spans().len(), 6);
}

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_at_start_up() {
    let text = end(process("https://vendor.test", 0, &[("HTTPS_PROXY", "socks5://user:secret@proxy:1080")]));
    assert!(text.contains("HTTPS_PROXY is `socks5://…@proxy:1080`; expected a proxy such as"), "{text}");
}
