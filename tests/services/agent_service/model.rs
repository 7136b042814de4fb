//! Answers by a language model, which is a server of the test's own here.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::agent_service::recorded::moved;
use crate::support::closed_port::ClosedPort;
use crate::support::service::{Service, command, notes, refusal};

/// A server that gives the same response to every request for an answer, and lists one model.
struct Endpoint {
    address: SocketAddr,
    /// Head and body of each request for an answer.
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

/// The end of a response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    /// The server keeps the connection and says nothing more.
    Silent,
}

impl Endpoint {
    fn answering(response: impl Into<String>, end: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let response: String = response.into();
        let asked = Arc::default();
        let noted = Arc::clone(&asked);
        // It ends with the test.
        thread::spawn(move || {
            let mut kept = Vec::new();
            for connection in listener.incoming().map_while(Result::ok) {
                let is_answered = answer(&connection, &noted, &response);
                if is_answered && end == End::Silent {
                    kept.push(connection);
                }
            }
        });
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

/// Answers a request. Returns whether it was one for an answer.
fn answer(mut connection: &TcpStream, asked: &Mutex<Vec<(String, Value)>>, response: &str) -> bool {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "a request has no end: {head}");
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    if head.starts_with("get /v1/models ") {
        write(connection, &ok("application/json", r#"{"data": [{"id": "small-1"}, {"id": "large-1"}]}"#));
        return false;
    }
    asked.lock().unwrap().push((head, serde_json::from_slice(&body).unwrap()));
    write(connection, response);
    connection.flush().unwrap();
    true
}

fn write(mut connection: &TcpStream, response: &str) {
    connection.write_all(response.as_bytes()).unwrap();
}

fn ok(content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n{body}")
}

/// A reply of these events.
fn reply(events: &[Value]) -> String {
    let events: Vec<_> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    ok("text/event-stream; charset=utf-8", &events.concat())
}

fn piece(text: &str) -> Value {
    json!({"model": "small-1-2026", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
}

/// A good reply: two pieces, the reason of the end, and the usage that was asked for.
fn good() -> String {
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let counts = json!({"prompt_tokens": 812, "completion_tokens": 96, "total_tokens": 908,
        "prompt_tokens_details": {"cached_tokens": 640}});
    let usage = json!({"choices": [], "usage": counts});
    let events = reply(&[piece("Green tea wants "), piece("water of 80 degrees."), end, usage]);
    format!("{events}: a comment\n\ndata: [DONE]\n\n")
}

fn by(endpoint: &Endpoint) -> Command {
    let mut command = command();
    command.args(["--model", &endpoint.url()]);
    command
}

fn start(command: &mut Command) -> Service {
    let notes = notes();
    Service::start(command.arg("--docs").arg(notes.path()))
}

const QUESTION: &str = "Which water does green tea want?";

/// Calls by outcome, and their tokens.
fn counted(service: &Service) -> Vec<String> {
    let families = [
        "active_model_calls",
        "model_calls_total",
        "model_cached_input_tokens_total",
        "model_input_tokens_total",
        "model_output_tokens_total",
        "model_usage_unknown_total",
    ];
    moved(&service.metrics(), &families)
}

#[test]
fn a_model_writes_the_answer_and_its_tokens_are_counted() {
    let endpoint = Endpoint::answering(good(), End::Closed);
    let service = start(&mut by(&endpoint));
    let answered = service.ask(QUESTION);
    assert_eq!(
        (answered.status, &answered.json()["answer"]),
        (200, &json!("Green tea wants water of 80 degrees."))
    );
    assert_eq!(answered.json()["sources"], json!([{"file": "tea.md", "heading": "Tea > Green tea"}]));
    assert_eq!(
        counted(&service),
        [
            "model_calls_total 127.0.0.1 small-1 success = 1",
            "model_cached_input_tokens_total researcher 127.0.0.1 small-1 = 640",
            "model_input_tokens_total researcher 127.0.0.1 small-1 = 812",
            "model_output_tokens_total researcher 127.0.0.1 small-1 = 96",
        ]
    );
    let labels = [("provider", "127.0.0.1"), ("model", "small-1")];
    let chunks = service.metrics().value("model_time_to_first_chunk_seconds_count", &labels);
    assert_eq!(chunks, Some(1.0));

    let (head, request) = endpoint.asked.lock().unwrap()[0].clone();
    assert!(head.starts_with("post /v1/chat/completions "), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(request["stream_options"], json!({"include_usage": true}));
    assert_eq!((&request["stream"], &request["model"]), (&json!(true), &json!("small-1")));
    let asked = request["messages"][1]["content"].as_str().unwrap();
    assert!(asked.contains(QUESTION) && asked.contains("Green tea wants water of 80 degrees."), "{asked}");
}

#[test]
fn the_name_and_the_key_are_those_that_are_given() {
    let endpoint = Endpoint::answering(good(), End::Closed);
    let mut command = by(&endpoint);
    let service = start(command.args(["--model-name", "large-1"]).env("OPENAI_API_KEY", "secret-key"));
    assert_eq!(service.ask(QUESTION).status, 200);
    let (head, request) = endpoint.asked.lock().unwrap()[0].clone();
    assert!(head.contains("authorization: bearer secret-key"), "{head}");
    assert_eq!(request["model"], "large-1");
    let log = service.stop().log;
    assert!(!log.iter().any(|line| line.to_string().contains("secret-key")));
}

#[test]
fn nonsense_is_named_in_the_response_and_in_the_log() {
    let cut = reply(&[piece("Green ")]);
    let overloaded = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n\
        {\"error\": {\"message\": \"overloaded\"}}";
    for (response, expected) in [
        (ok("text/html", "<html>"), "answers nonsense: expected a stream of events"),
        (ok("text/event-stream", "data: <html>\n\n"), "answers nonsense: an event is expected value"),
        (ok("text/event-stream", "data: {\"answer\": 42}\n\n"), "answers nonsense: an event has no choices"),
        (ok("text/event-stream", "data: [DONE]\n\n"), "answers nonsense: its answer is empty"),
        (cut, "breaks off"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), "breaks off"),
        (overloaded.to_owned(), "answers 503 Service Unavailable: overloaded"),
    ] {
        let endpoint = Endpoint::answering(response, End::Closed);
        let service = start(&mut by(&endpoint));
        let answered = service.ask(QUESTION);
        assert_eq!(answered.status, 502, "{expected}: {}", answered.body);
        let said = format!("the language model at {} {expected}", endpoint.url());
        assert!(answered.body.contains(&said), "{} lacks {said}", answered.body);
        assert_eq!(service.runs()[0]["status"], "failed");
        let failed: Vec<_> = service.log().into_iter().filter(|line| line["error"].is_string()).collect();
        assert_eq!(failed.len(), 1, "logged once: {failed:#?}");
        assert!(failed[0]["error"].as_str().unwrap().starts_with(&said), "{}", failed[0]);
    }
}

#[test]
fn a_model_that_is_too_slow_is_left() {
    let endpoint = Endpoint::answering(reply(&[piece("Green ")]), End::Silent);
    let service = start(by(&endpoint).args(["--time-limit", "300"]));
    assert_eq!(service.ask(QUESTION).status, 504);
    assert_eq!(
        counted(&service),
        [
            "model_calls_total 127.0.0.1 small-1 cancelled = 1",
            "model_usage_unknown_total 127.0.0.1 small-1 stream_cut = 1",
        ]
    );
}

#[test]
fn a_model_out_of_reach_keeps_the_service_from_starting() {
    let closed = ClosedPort::take();
    let url = format!("http://{}/v1", closed.address);
    let notes = notes();
    let refused = refusal(command().arg("--docs").arg(notes.path()).args(["--model", &url]));
    let line = format!("the language model at {url} cannot be reached: Connection refused (os error 111)");
    assert_eq!(refused, (1, line));
}

#[test]
fn a_model_that_goes_out_of_reach_is_a_bad_gateway() {
    let closed = ClosedPort::take();
    let url = format!("http://{}/v1", closed.address);
    let service = start(command().args(["--model", &url, "--model-name", "small-1"]));
    let answered = service.ask(QUESTION);
    assert_eq!(answered.status, 502);
    assert!(
        answered.body.contains(&format!("the language model at {url} cannot be reached")),
        "{}",
        answered.body
    );
}

#[test]
fn quotes_are_a_model_without_tokens() {
    let service = Service::on(&notes());
    assert_eq!(service.ask(QUESTION).status, 200);
    assert_eq!(
        counted(&service),
        ["model_calls_total local quotes success = 1", "model_usage_unknown_total local quotes no_usage = 1",]
    );
}
