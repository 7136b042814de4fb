//! A Prometheus of a test's own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::files::folder;
use crate::support::service::eventually;

/// Scrapes one target and evaluates the shipped rules, each second; killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    home: TempDir,
}

impl Prometheus {
    pub(crate) fn scraping(target: SocketAddr) -> Self {
        let home = tempfile::tempdir().unwrap();
        let rules = folder("prometheus");
        let config = serde_json::json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [rules.join("recording.yml"), rules.join("alerts.yml")],
            "scrape_configs": [{
                "job_name": "agents",
                "metrics_path": "/health/metrics",
                "static_configs": [{ "targets": [target.to_string()] }],
            }],
        });
        // JSON is YAML.
        fs::write(home.path().join("prometheus.yml"), config.to_string()).unwrap();
        eventually("it starts", || Self::start(&home)).and_home(home)
    }

    /// Starts on a port that was free a moment ago; `None` if it was taken meanwhile.
    fn start(home: &TempDir) -> Option<Started> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = File::create(home.path().join("log")).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", home.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", home.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("prometheus (Debian package `prometheus`) is needed; `scripts/test` installs it");
        let is_up = eventually("it is ready, or ends", || match child.try_wait().unwrap() {
            Some(_) => Some(false),
            None => (status(address, "/-/ready") == Some(200)).then_some(true),
        });
        if is_up { Some(Started { child, address }) } else { None }
    }

    /// What a query gives now: the result, or why there is none.
    pub(crate) fn query(&self, query: &str) -> Result<Vec<Value>, String> {
        let encoded: Vec<_> = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (_, body) =
            get(self.address, &format!("/api/v1/query?query={}", encoded.concat())).expect("it answers");
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        match answer["data"]["result"].as_array() {
            Some(result) if answer["status"] == "success" => Ok(result.clone()),
            _ => Err(format!("{query}: {}", answer["error"])),
        }
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

struct Started {
    child: Child,
    address: SocketAddr,
}

impl Started {
    fn and_home(self, home: TempDir) -> Prometheus {
        Prometheus { child: self.child, address: self.address, home }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status(address: SocketAddr, path: &str) -> Option<u16> {
    get(address, path).map(|(status, _)| status)
}

/// By HTTP 1.0, so that the body comes in one piece; `None` if nobody answers.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut connection = TcpStream::connect(address).ok()?;
    connection.write_all(format!("GET {path} HTTP/1.0\r\nhost: test\r\n\r\n").as_bytes()).ok()?;
    let mut response = String::new();
    connection.read_to_string(&mut response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
