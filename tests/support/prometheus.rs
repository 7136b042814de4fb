//! A real Prometheus in a process of its own, on a free port, with a directory of its own.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::listening::{Log, listening};
use crate::support::service::eventually;

/// The text that it logs once it answers.
const READY: &str = "msg=\"Server is ready to receive web requests.\"";

/// A Prometheus that scrapes; killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    log: Log,
    _directory: TempDir,
}

/// One series of an answer: its labels, the name among them, and its value.
pub(crate) type Series = (BTreeMap<String, String>, f64);

impl Prometheus {
    /// Scrapes each path of the target as a job of the path's name, with these features turned on.
    pub(crate) fn scraping(target: SocketAddr, paths: &[&str], features: &str) -> Self {
        Self::configured(&configuration(target, paths), features)
    }

    /// Starts by that configuration.
    pub(crate) fn configured(text: &str, features: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = directory.path().join("prometheus.yml");
        std::fs::write(&configuration, text).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0");
        if !features.is_empty() {
            command.arg(format!("--enable-feature={features}"));
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus (Debian package `prometheus`) is needed; `scripts/test` installs it");
        let (address, log) = listening(&mut child, READY);
        Self { child, address, log, _directory: directory }
    }

    /// The current result of an instant query.
    #[track_caller]
    pub(crate) fn query(&self, query: &str) -> Vec<Series> {
        self.try_query(query).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The current result of an instant query, or the reason why it has none.
    pub(crate) fn try_query(&self, query: &str) -> Result<Vec<Series>, String> {
        let answer = self.ask("/api/v1/query", &[("query", query)]);
        match answer["data"]["result"].as_array() {
            Some(result) if answer["data"]["resultType"] == "vector" => {
                Ok(result.iter().map(series).collect())
            }
            _ => Err(format!("{query}: {answer}")),
        }
    }

    /// The one number that a query gives. After a scrape that took too long it gives none until the next.
    #[track_caller]
    pub(crate) fn value(&self, query: &str) -> f64 {
        eventually(&format!("{query} gives a number"), || self.now(query))
    }

    fn now(&self, query: &str) -> Option<f64> {
        let found = self.query(query);
        assert!(found.len() <= 1, "{query}: {found:?}");
        found.first().map(|(_, value)| *value)
    }

    /// Waits until a query gives that number.
    #[track_caller]
    pub(crate) fn wait_for(&self, query: &str, expected: f64) {
        eventually(&format!("{query} is {expected}"), || (self.now(query) == Some(expected)).then_some(()));
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks the API, which has to answer with a success.
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let answer = self.ask(path, parameters);
        assert_eq!(answer["status"], "success", "{answer}");
        answer
    }

    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let pairs: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        // HTTP/1.0, so that the answer comes in one piece.
        let request = format!("GET {path}?{} HTTP/1.0\r\nhost: prometheus\r\n\r\n", pairs.join("&"));
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(target: SocketAddr, paths: &[&str]) -> String {
    let mut text = "global: {scrape_interval: 500ms, scrape_timeout: 500ms}\nscrape_configs:\n".to_owned();
    let jobs = paths.iter().map(|path| {
        format!(
            "- {{job_name: '{path}', metrics_path: '{path}', static_configs: [{{targets: ['{target}']}}]}}\n"
        )
    });
    text.extend(jobs);
    text
}

fn series(result: &Value) -> Series {
    let labels = result["metric"].as_object().unwrap().iter();
    let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    (labels, result["value"][1].as_str().unwrap_or("NaN").parse().unwrap())
}

/// A value as a URL's query has it.
fn escaped(value: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    value.bytes().map(byte).collect()
}
