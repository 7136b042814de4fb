//! The Kubernetes manifests and the ECS task definition, read strictly, and held against the service and the rules.

use std::io::Write as _;
use std::process::{Command, Stdio};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rules::alerting::{ALERTS, RECORDING};
use crate::rules::files::{files, folder, json, list, string, yaml};

/// Reads a document as the type and compares it with the text: the type would drop a field that it does not know.
fn read_strictly<T: DeserializeOwned + Serialize>(path: &str) -> Value {
    let written = yaml(path);
    let read: T =
        serde_json::from_value(written.clone()).unwrap_or_else(|error| panic!("docs/{path}: {error}"));
    assert_eq!(serde_json::to_value(read).unwrap(), written, "docs/{path} has a field that there is not");
    written
}

/// The fields of a monitor of the Prometheus Operator, by its API reference.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Monitor {
    api_version: String,
    kind: String,
    metadata: Value,
    spec: MonitorSpec,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MonitorSpec {
    selector: Selector,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<[Endpoint; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_metrics_endpoints: Option<[Endpoint; 1]>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoint {
    port: String,
    path: String,
    interval: String,
    scrape_timeout: String,
}

const DEPLOYMENT: &str = "kubernetes/deployment.yaml";
const SERVICE: &str = "kubernetes/service.yaml";
const RULE: &str = "kubernetes/prometheusrule.yaml";
const MONITORS: [&str; 2] = ["kubernetes/servicemonitor.yaml", "kubernetes/podmonitor.yaml"];

#[test]
fn there_are_the_manifests_that_are_tested_and_no_other() {
    let found: Vec<_> =
        files("kubernetes", "yaml").iter().map(|file| file.file_name().unwrap().to_owned()).collect();
    let mut tested: Vec<_> = [DEPLOYMENT, SERVICE, RULE]
        .iter()
        .chain(&MONITORS)
        .map(|path| &path["kubernetes/".len()..])
        .collect();
    tested.sort_unstable();
    assert_eq!(found, tested);
}

#[test]
fn deployment_and_service_are_valid_and_match_each_other() {
    let deployment = read_strictly::<Deployment>(DEPLOYMENT);
    let service = read_strictly::<Service>(SERVICE);
    let pod = &deployment["spec"]["template"];
    let labels = &pod["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&service["spec"]["selector"], labels);
    assert_eq!(service["spec"]["ports"][0]["targetPort"], pod["spec"]["containers"][0]["ports"][0]["name"]);
}

#[test]
fn the_deployment_asks_each_probe_at_its_route() {
    let deployment = read_strictly::<Deployment>(DEPLOYMENT);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    for (probe, path) in [
        ("startupProbe", "/health/startup"),
        ("livenessProbe", "/health/live"),
        ("readinessProbe", "/health/ready"),
    ] {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
    }
}

#[test]
fn each_monitor_scrapes_the_metrics_of_what_the_manifests_start() {
    let (service, deployment) = (yaml(SERVICE), yaml(DEPLOYMENT));
    for (path, kind) in MONITORS.into_iter().zip(["ServiceMonitor", "PodMonitor"]) {
        let monitor = read_strictly::<Monitor>(path);
        assert_eq!(
            (string(&monitor, "apiVersion"), string(&monitor, "kind")),
            ("monitoring.coreos.com/v1", kind)
        );
        let (labels, endpoints) = match kind {
            "ServiceMonitor" => (&service["metadata"]["labels"], "endpoints"),
            _ => (&deployment["spec"]["template"]["metadata"]["labels"], "podMetricsEndpoints"),
        };
        assert_eq!(&monitor["spec"]["selector"]["matchLabels"], labels);
        let endpoint = &list(&monitor["spec"], endpoints)[0];
        assert_eq!((string(endpoint, "path"), string(endpoint, "port")), ("/health/metrics", "http"));
    }
}

#[test]
fn the_prometheus_rule_has_the_rules_of_the_files_and_no_other() {
    let rule = yaml(RULE);
    assert_eq!(
        (string(&rule, "apiVersion"), string(&rule, "kind")),
        ("monitoring.coreos.com/v1", "PrometheusRule")
    );
    let shipped = [RECORDING, ALERTS].map(|path| list(&yaml(path), "groups").to_vec()).concat();
    assert_eq!(list(&rule["spec"], "groups"), shipped);
    let names: std::collections::BTreeSet<_> = shipped.iter().map(|group| string(group, "name")).collect();
    assert_eq!(names.len(), shipped.len(), "the operator wants a name of its own for each group");
}

/// By the model of the API that AWS's own client checks its arguments with: unknown fields, wrong types and missing ones are errors.
const CHECK: &str = "
import json, sys
import botocore.session, botocore.validate
model = botocore.session.get_session().get_service_model('ecs')
shape = model.operation_model('RegisterTaskDefinition').input_shape
report = botocore.validate.ParamValidator().validate(json.load(sys.stdin), shape)
sys.exit(report.generate_report() or None)
";

fn check_by_the_api(task: &Value) -> Result<(), String> {
    let mut python = Command::new("python3")
        .args(["-c", CHECK])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 (Debian package `python3-botocore`) is needed; `scripts/test` installs it");
    python.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
    let said = python.wait_with_output().unwrap();
    if said.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said.stderr).into_owned()) }
}

#[test]
fn the_task_definition_is_what_ecs_takes() {
    let task = json("ecs/task_definition.json");
    check_by_the_api(&task).unwrap();
    let mut wrong = task.clone();
    wrong["containerDefinitions"][0]["healthChek"] = Value::Null;
    let why = check_by_the_api(&wrong).unwrap_err();
    assert!(why.contains("healthChek"), "{why}");
}

#[test]
fn the_task_asks_for_liveness_on_the_port_it_maps() {
    let task = json("ecs/task_definition.json");
    let container = &list(&task, "containerDefinitions")[0];
    let port = container["portMappings"][0]["containerPort"].to_string();
    let command = list(&container["healthCheck"], "command");
    let asked = format!(":{port}/health/live");
    assert!(command.iter().any(|word| word.as_str().unwrap().contains(&asked)), "{command:?}");
    assert!(list(container, "command").contains(&Value::from(port)));
    assert!(folder("ecs").join("task_definition.json").is_file());
}
