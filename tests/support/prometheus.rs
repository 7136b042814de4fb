//! A real Prometheus in a process of its own, on a free port, with a directory of its own.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::service::eventually;

/// What Prometheus says before its address, and once it answers there.
const LISTENING: &str = "msg=\"Listening on\" address=";
const READY: &str = "msg=\"Server is ready to receive web requests.\"";

/// A Prometheus that scrapes; killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

/// One series of an answer: its labels, the name among them, and its value.
pub(crate) type Series = (BTreeMap<String, String>, f64);

impl Prometheus {
    /// Scrapes each path of the target as a job of the path's name, with these features turned on.
    pub(crate) fn scraping(target: SocketAddr, paths: &[&str], features: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = directory.path().join("prometheus.yml");
        std::fs::write(&configuration, configured(target, paths)).unwrap();
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
        let address = listening(&mut child);
        Self { child, address, _directory: directory }
    }

    /// What an instant query gives now.
    pub(crate) fn query(&self, query: &str) -> Vec<Series> {
        let answer = self.get("/api/v1/query", &[("query", query)]);
        assert_eq!(answer["data"]["resultType"], "vector", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().iter().map(series).collect()
    }

    /// The one number that a query gives now.
    pub(crate) fn value(&self, query: &str) -> Option<f64> {
        let found = self.query(query);
        assert!(found.len() <= 1, "{query}: {found:?}");
        found.first().map(|(_, value)| *value)
    }

    /// Waits until a query gives that number.
    #[track_caller]
    pub(crate) fn wait_for(&self, query: &str, expected: f64) {
        eventually(&format!("{query} is {expected}"), || {
            self.value(query).is_some_and(|value| value == expected).then_some(())
        });
    }

    /// Asks the API, and gives its answer once it is a success.
    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let pairs: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        // HTTP/1.0, so that the answer comes in one piece.
        let request = format!("GET {path}?{} HTTP/1.0\r\nhost: prometheus\r\n\r\n", pairs.join("&"));
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(body["status"], "success", "{body}");
        body
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configured(target: SocketAddr, paths: &[&str]) -> String {
    let mut text = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n".to_owned();
    let jobs = paths.iter().map(|path| {
        format!(
            "- {{job_name: '{path}', metrics_path: '{path}', static_configs: [{{targets: ['{target}']}}]}}\n"
        )
    });
    text.extend(jobs);
    text
}

/// Reads the log until it names the address and says that it is ready, and the rest of it for as long as there is one.
fn listening(child: &mut Child) -> SocketAddr {
    let (say, said) = mpsc::channel();
    let log = BufReader::new(child.stderr.take().unwrap());
    thread::spawn(move || {
        let (mut all, mut address, mut is_ready) = (String::new(), None, false);
        for line in log.lines().map_while(Result::ok) {
            // It says so in either order.
            address = address.or_else(|| line.split_once(LISTENING)?.1.parse().ok());
            is_ready |= line.contains(READY);
            if let Some(address) = address.filter(|_| is_ready) {
                // Nobody listens any more once it is known.
                let _ = say.send(Ok(address));
            }
            all.push_str(&line);
            all.push('\n');
        }
        let _ = say.send(Err(all));
    });
    match said.recv_timeout(Duration::from_mins(1)) {
        Ok(Ok(address)) => address,
        Ok(Err(log)) => panic!("prometheus ended:\n{log}"),
        Err(error) => panic!("prometheus does not say where it listens: {error}"),
    }
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
