//! What the engines are told: their configuration files, and the project's own rules.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::instance::Instance;

/// The job that the instances are scraped as; the shipped rules and dashboards go by it.
pub(crate) const JOB: &str = "agent-service";

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/prometheus");

/// The project's rule files, as they are but for how long an alert has to hold where that is 5 minutes at most: as long as it
/// takes to see it twice. What has to hold for longer is a trend, and a run of a minute has none.
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

/// Prometheus: scrapes every second what the targets file lists, and passes all of it on. JSON is YAML too.
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

/// Alertmanager: keeps what it is told and calls nobody.
pub(crate) fn alertmanager() -> Value {
    json!({ "route": { "receiver": "nobody" }, "receivers": [{ "name": "nobody" }] })
}

/// Where the instances are. Each is known by its name, which it keeps when it comes back at another address.
pub(crate) fn targets<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> Value {
    let target = |instance: &Instance| json!({ "targets": [instance.address], "labels": { "instance": instance.name } });
    instances.into_iter().map(target).collect()
}

/// Writes a file that is read at any time: whole, or not at all.
pub(crate) fn write(file: &Path, configuration: &Value) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, configuration.to_string())?;
    fs::rename(&new, file).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::impatient;

    #[test]
    fn only_the_time_that_an_alert_has_to_hold_is_changed_and_only_a_short_one() {
        let rules = "- alert: A\n  expr: wait for: 1\n  for: 5m\n- alert: B\n  for: 1h\n";
        assert_eq!(impatient(rules), "- alert: A\n  expr: wait for: 1\n  for: 2s\n- alert: B\n  for: 1h\n");
    }
}
