//! The set-ups for shipping logs, over real lines of the example service: those for Loki as far as their expressions go, that for
//! OpenSearch by rsyslog itself.

mod loki;
mod opensearch;

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::service::{command, eventually, notes};

/// As many are enough for lines of every kind.
const LINES: usize = 60;

/// The lines of the example service under its own traffic.
static LINES_OF_THE_SERVICE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let (notes, folder) = (notes(), tempfile::tempdir().unwrap());
    let log = folder.path().join("log.json");
    let service = command()
        .arg("--docs")
        .arg(notes.path())
        .args(["--traffic", "50"])
        .env("TMPDIR", folder.path())
        .env("LOG_LEVEL", "agent_service=debug")
        .stdin(Stdio::null())
        .stdout(File::create(&log).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut service = Running(service);
    eventually("there are lines of every kind", || {
        let text = fs::read_to_string(&log).unwrap();
        let is_there = text.lines().count() >= LINES && text.contains("\"skill_id\"");
        is_there.then_some(())
    });
    let told = Command::new("kill").args(["-TERM", &service.0.id().to_string()]).status().unwrap();
    assert!(told.success() && service.0.wait().unwrap().success());
    fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect()
});

/// Killed when dropped, should it not have been told to stop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A file of the guide.
fn shipped(name: &str) -> String {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
