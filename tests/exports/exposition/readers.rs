//! The readers that scrapes are for: Prometheus' own, and the client of Python, which Datadog's agent scrapes with.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Reads a text in the format that the first argument names; says what it finds, a sample a line.
const PYTHON: &str = "
import sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
reader = {'text': parser, 'openmetrics': openmetrics}[sys.argv[1]]
for family in reader.text_string_to_metric_families(sys.stdin.buffer.read().decode()):
    for sample in family.samples:
        print(sample.name, sample.labels, sample.value, sample.exemplar and sample.exemplar.labels)
";

/// The samples that Python's client reads from a text.
///
/// # Errors
///
/// Its output when it failed.
pub(crate) fn python(format: &str, scrape: &str) -> Result<String, String> {
    // Debian's package is for Debian's Python, which may not be the first one in the path.
    let has_client = |python: &&str| {
        let asked =
            Command::new(python).args(["-c", "import prometheus_client"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let python = ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(has_client)
        .expect("Debian package `python3-prometheus-client` is needed; `scripts/test` installs it");
    piped(Command::new(python).args(["-c", PYTHON, format]), scrape)
}

/// The error of `promtool check metrics` about text that it cannot read. Its advice about names is ignored.
pub(crate) fn promtool(scrape: &str) -> Result<(), String> {
    match piped(Command::new("promtool").args(["check", "metrics"]), scrape) {
        Err(said) if said.contains("error while linting") => Err(said),
        _ => Ok(()),
    }
}

fn piped(command: &mut Command, input: &str) -> Result<String, String> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // From a thread, since it may say much before it has read all.
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
    let writes = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writes.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}
