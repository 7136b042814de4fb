//! A Prometheus that evaluates the shipped rules.

use std::net::SocketAddr;

use crate::rules::files::folder;
use crate::support::prometheus::Prometheus;

/// Scrapes one target and evaluates the rules, each second.
pub(crate) fn watching(target: SocketAddr) -> Prometheus {
    let rules = folder("prometheus");
    let configuration = serde_json::json!({
        "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
        "rule_files": [rules.join("recording.yml"), rules.join("alerts.yml")],
        "scrape_configs": [{
            "job_name": "agents",
            "metrics_path": "/health/metrics",
            "static_configs": [{ "targets": [target.to_string()] }],
        }],
    });
    // JSON is YAML.
    Prometheus::configured(&configuration.to_string(), "")
}
