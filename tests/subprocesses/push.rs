//! `metrics::push_once` against a real Pushgateway.

use std::error::Error as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use monitor_runtime::metrics::{PushError, push_once};
use monitor_runtime::track_agent;

use crate::support::closed_port::ClosedPort;
use crate::support::exposition::Exposition;
use crate::support::listening::{LISTENING, listening};
use crate::support::subprocess::{self, Subprocess};

#[track_agent("nightly_summary")]
fn summarise() {}

/// A gateway on a free port; killed when dropped.
struct Gateway {
    child: Child,
    address: SocketAddr,
}

impl Gateway {
    fn start() -> Self {
        let mut child = Command::new("prometheus-pushgateway")
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the Debian package `prometheus-pushgateway` is needed; `scripts/test` installs it");
        let (address, _) = listening(&mut child, LISTENING);
        Self { child, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The metrics that Prometheus would scrape.
    fn scrape(&self) -> String {
        ureq::get(&self.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value of the agent's successes under this job.
fn successes(scrape: &str, group: &str) -> Option<f64> {
    let series = format!("agent_executions_total{{agent_id=\"nightly_summary\",{group},status=\"success\"}}");
    Exposition::read(scrape).at(&series)
}

#[test]
fn a_job_pushes_its_metrics_and_a_later_run_replaces_them() {
    let gateway = Gateway::start();
    let push = |labels: &[(&str, &str)]| push_once(&gateway.url("/"), "nightly run", labels).unwrap();
    summarise();
    push(&[("region", "eu/north")]);
    let group = "instance=\"\",job=\"nightly run\",region=\"eu/north\"";
    assert_eq!(successes(&gateway.scrape(), group), Some(1.0), "{}", gateway.scrape());

    summarise();
    push(&[]);
    push(&[("region", "eu/north")]);
    let scrape = gateway.scrape();
    assert_eq!(successes(&scrape, group), Some(2.0), "{scrape}");
    assert_eq!(successes(&scrape, "instance=\"\",job=\"nightly run\""), Some(2.0), "{scrape}");
    assert!(
        scrape.contains("agent_execution_duration_seconds_bucket{agent_id=\"nightly_summary\","),
        "{scrape}"
    );
}

#[test]
fn a_gateway_that_is_not_there_is_said_to_be() {
    let closed = ClosedPort::take();
    let url = format!("http://{}", closed.address);
    let error = push_once(&url, "job", &[]).unwrap_err();
    assert!(matches!(error, PushError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!("{url} cannot be reached; expected")), "{error}");
}

/// A gateway that gives this answer to one request, which is returned.
fn answering(head: &'static str, body: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let request = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = [0; 1_024];
        let read = connection.read(&mut request).unwrap();
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        connection.write_all(answer.as_bytes()).unwrap();
        let _ = connection.read_to_end(&mut Vec::new());
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    (address, request)
}

#[test]
fn a_refusal_is_told_in_one_line_and_without_the_password() {
    let (address, request) = answering("400 Bad Request", "text format parsing error\nin line 1\n");
    let error = push_once(&format!("http://user:secret@{address}"), "job", &[]).unwrap_err();
    let said =
        "refused the metrics with 400 Bad Request: text format parsing error in line 1; nothing was pushed";
    assert_eq!(error.to_string(), format!("http://…@{address} {said}"));
    assert!(!format!("{error:?}").contains("secret"));
    let request = request.join().unwrap();
    assert!(request.starts_with("PUT /metrics/job/job HTTP/1.1\r\n"), "{request}");
}

#[test]
fn an_address_without_a_scheme_is_refused_without_the_password() {
    for gateway in ["user:secret@127.0.0.1:1", "//user:secret@127.0.0.1:1"] {
        let error = push_once(gateway, "job", &[("mail", "a@b")]).unwrap_err();
        assert!(error.to_string().starts_with("…@127.0.0.1:1 cannot be reached; expected"), "{error}");
        assert!(!format!("{error:?} {}", error.source().unwrap()).contains("secret"), "{error:?}");
    }
}

#[test]
fn a_redirection_is_refused_and_not_followed() {
    let (address, request) = answering("302 Found\r\nlocation: /login", "");
    let error = push_once(&format!("http://{address}"), "job", &[]).unwrap_err();
    assert!(matches!(&error, PushError::Refused { status, .. } if status.as_u16() == 302), "{error:?}");
    request.join().unwrap();
}

#[test]
fn a_bad_key_or_address_is_refused_before_anything_is_sent() {
    assert!(matches!(push_once("http://127.0.0.1:1", "", &[]), Err(PushError::EmptyJob)));
    assert!(matches!(push_once("HTTPS://127.0.0.1:1", "job", &[]), Err(PushError::Tls { .. })));
    let labels = [("job", "twice")];
    assert!(matches!(push_once("http://127.0.0.1:1", "job", &labels), Err(PushError::Label { .. })));
}

#[test]
fn the_path_of_the_job_goes_before_the_query_of_the_address() {
    let (address, request) = answering("200 OK", "");
    push_once(&format!("http://{address}/base/?tenant=a/b"), "nightly", &[("region", "eu")]).unwrap();
    let request = request.join().unwrap();
    assert!(
        request.starts_with("PUT /base/metrics/job/nightly/region/eu?tenant=a/b HTTP/1.1\r\n"),
        "{request}"
    );
}

#[test]
fn a_fragment_is_refused_and_the_query_never_repeated() {
    let error = push_once("http://127.0.0.1:1/?key=secret#x", "job", &[]).unwrap_err();
    assert!(matches!(error, PushError::Fragment { .. }), "{error:?}");
    assert!(error.to_string().starts_with("http://127.0.0.1:1/?… has a fragment"), "{error}");
    let closed = ClosedPort::take();
    let error = push_once(&format!("http://{}/?key=secret", closed.address), "job", &[]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

const PART: Subprocess = Subprocess::new(module_path!(), "part");

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn part() {
    let Some(gateway) = subprocess::part() else { return };
    summarise();
    push_once(&gateway, "nightly", &[]).unwrap();
}

#[test]
fn the_proxies_that_the_environment_names_are_not_asked() {
    let gateway = Gateway::start();
    // This proxy refuses every request, which distinguishes it from the gateway.
    let closed = ClosedPort::take();
    let proxy = format!("http://user:secret@{}", closed.address);
    let mut process = PART.command(&gateway.url("/"));
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        process.env(variable, &proxy).env(variable.to_ascii_lowercase(), &proxy);
    }
    process.env_remove("NO_PROXY").env_remove("no_proxy");
    subprocess::run(&mut process);
    assert_eq!(successes(&gateway.scrape(), "instance=\"\",job=\"nightly\""), Some(1.0));
}
