//! The engines' configuration files, and the project's own rules.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::instance::Instance;

/// The instances' job label, by which the shipped rules and dashboards group.
pub(crate) const JOB: &str = "agent-service";

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/prometheus");

/// The project's rule files, with one change: an alert with a `for` of at most 5 minutes gets the time of two evaluations instead.
/// An alert with a longer `for` is about a trend, which a run of a minute does not have.
pub(crate) fn write_rules(folder: &Path) -> anyhow::Result<()> {
    for name in ["recording.yml", "alerts.yml"] {
        let shipped = Path::new(RULES).join(name);
        let rules =
            fs::read_to_string(&shipped).with_context(|| format!("cannot read {}", shipped.display()))?;
        fs::write(folder.join(name), impatient(&rules))?;
    }
    Ok(())
}

fn impatient(rules: &str) -> String {
    let short = ["1m", "2m", "5m"];
    let line = |line: &str| match line.split_once("for: ") {
        Some((indent, held)) if indent.trim().is_empty() && short.contains(&held) => {
            format!("{indent}for: 2s\n")
        }
        _ => format!("{line}\n"),
    };
    rules.lines().map(line).collect()
}

/// Prometheus: scrapes the targets file every second, and forwards all samples. JSON is YAML too.
pub(crate) fn prometheus(folder: &Path, alertmanager: SocketAddr, remote: SocketAddr) -> Value {
    json!({
        "global": {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
            "external_labels": { "fleet": "example" },
        },
        "rule_files": [folder.join("recording.yml"), folder.join("alerts.yml")],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": [alertmanager] }] }] },
        "scrape_configs": [{
            "job_name": JOB,
            "metrics_path": "/health/metrics",
            "file_sd_configs": [{ "files": [folder.join("targets.json")], "refresh_interval": "1s" }],
        }],
        "remote_write": [{
            "url": format!("http://{remote}/api/v1/write"),
            "queue_config": { "batch_send_deadline": "1s" },
        }],
    })
}

/// Alertmanager: keeps the alerts and notifies nobody.
pub(crate) fn alertmanager() -> Value {
    json!({ "route": { "receiver": "nobody" }, "receivers": [{ "name": "nobody" }] })
}

/// The instances' addresses. Each instance has a name, which it keeps when it comes back at another address.
pub(crate) fn targets<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> Value {
    let target = |instance: &Instance| json!({ "targets": [instance.address], "labels": { "instance": instance.name } });
    instances.into_iter().map(target).collect()
}

/// Writes a file atomically, since it may be read at any time.
pub(crate) fn write(file: &Path, configuration: &Value) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, configuration.to_string())?;
    fs::rename(&new, file).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::impatient;

    #[test]
    fn only_a_short_hold_time_of_an_alert_is_changed() {
        let rules = "- alert: A\n  expr: wait for: 1\n  for: 5m\n- alert: B\n  for: 1h\n";
        assert_eq!(impatient(rules), "- alert: A\n  expr: wait for: 1\n  for: 2s\n- alert: B\n  for: 1h\n");
    }
}
