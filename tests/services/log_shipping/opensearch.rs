//! rsyslog with the shipped configuration, sending to a substitute for the bulk interface of OpenSearch.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::log_shipping::{LINES_OF_THE_SERVICE, Running, parsed, shipped};
use crate::support::service::eventually;

/// A line that no service of ours writes.
const FOREIGN: &str = "terminate called without an active exception";

/// Runs rsyslog by the shipped configuration, with paths of this folder and the address of the receiver in place of its own.
fn rsyslog(folder: &Path, receiver: SocketAddr) -> Running {
    let home = folder.to_str().unwrap();
    let shipped = shipped("logs/rsyslog-opensearch.conf");
    let port = format!("serverport=\"{}\"", receiver.port());
    let adapted = [
        ("/var/log/agent-service", home),
        ("server=\"opensearch\"", "server=\"127.0.0.1\""),
        ("serverport=\"9200\"", &port),
    ]
    .iter()
    .fold(shipped, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the configuration any more");
        text.replace(from, to)
    });
    let configuration = folder.join("rsyslog.conf");
    fs::write(&configuration, format!("global(workDirectory=\"{home}\")\n{adapted}")).unwrap();
    let mut command = Command::new("rsyslogd");
    command.arg("-n").arg("-f").arg(&configuration).arg("-i").arg(folder.join("pid"));
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    command.env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().expect("the Debian package `rsyslog` is needed; `scripts/test` installs it"))
}

/// The body that was sent: pairs of an action and a document.
type Sent = Arc<Mutex<Vec<(Value, Value)>>>;

fn receive() -> (SocketAddr, Sent) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, sent) = (listener.local_addr().unwrap(), Sent::default());
    let into = Arc::clone(&sent);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let into = Arc::clone(&into);
            thread::spawn(move || while answer(connection.as_ref().unwrap(), &into).is_some() {});
        }
    });
    (address, sent)
}

/// Takes one request; none when the connection has ended.
fn answer(mut connection: &TcpStream, into: &Sent) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    if head.starts_with("POST /_bulk ") {
        let lines: Vec<_> = std::str::from_utf8(&body).unwrap().lines().map(parsed).collect();
        into.lock().unwrap().extend(lines.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())));
    }
    let said = "{\"took\":1,\"errors\":false,\"items\":[]}";
    let length = said.len();
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    connection.write_all(format!("{head}{said}").as_bytes()).ok()
}

#[test]
fn every_line_and_no_other_arrives_in_the_index_of_its_day() {
    let folder = tempfile::tempdir().unwrap();
    let (address, sent) = receive();
    let lines = &*LINES_OF_THE_SERVICE;
    fs::write(folder.path().join("log.json"), format!("{}\n{FOREIGN}\n", lines.join("\n"))).unwrap();
    let _rsyslog = rsyslog(folder.path(), address);

    eventually("every line arrives", || (sent.lock().unwrap().len() >= lines.len()).then_some(()));
    let unread = eventually("what is no line of ours is put aside", || {
        fs::read_to_string(folder.path().join("unread.log")).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(unread.trim(), FOREIGN);

    let sent = sent.lock().unwrap();
    assert_eq!(sent.len(), lines.len());
    for line in lines.iter().map(|line| parsed(line)) {
        let day = &line["timestamp"].as_str().unwrap()[..10];
        let index = serde_json::json!({ "index": { "_index": format!("agent-service-{day}") } });
        assert!(sent.contains(&(index, line.clone())), "did not arrive: {line}");
    }
}

/// As OpenSearch would find it: a value of another type makes it refuse the document.
#[test]
fn the_fields_that_the_template_names_are_of_its_types() {
    let template = parsed(&shipped("logs/opensearch-template.json"));
    assert_eq!(template["index_patterns"], serde_json::json!(["agent-service-*"]));
    let properties = template["template"]["mappings"]["properties"].as_object().unwrap();
    for (name, mapping) in properties {
        let kind = mapping["type"].as_str().unwrap();
        assert!(["date", "keyword", "text"].contains(&kind), "{name} is a {kind}");
        for line in LINES_OF_THE_SERVICE.iter() {
            let value = &parsed(line)[name];
            assert!(value.is_null() || value.is_string(), "{name} is no text in {line}");
        }
    }
    for name in ["timestamp", "level", "logger", "event", "request_id", "agent_id", "skill_id", "query"] {
        assert!(properties.contains_key(name), "{name} has no mapping");
    }
}
