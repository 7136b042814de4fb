//! The Grafana dashboards: what Grafana needs to load them, and what their panels ask.

use serde_json::Value;

use crate::rules::files::{files, json, list, string};

const DASHBOARDS: [&str; 5] = [
    "agents_and_skills.json",
    "database_and_pools.json",
    "health_and_process.json",
    "models_and_cost.json",
    "service_overview.json",
];

fn panels(dashboard: &str) -> Vec<Value> {
    list(&json(&format!("grafana/{dashboard}")), "panels").to_vec()
}

/// Every panel's queries, as Grafana sends them with everything selected.
pub(crate) fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for dashboard in DASHBOARDS {
        for panel in panels(dashboard).iter().filter(|panel| panel["type"] != "row") {
            for target in list(panel, "targets") {
                let name = format!("{dashboard}: {}, {}", string(panel, "title"), string(target, "refId"));
                queries.push((name, filled_in(string(target, "expr"))));
            }
        }
    }
    queries
}

fn filled_in(expression: &str) -> String {
    let filled =
        expression.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*");
    assert!(!filled.contains('$'), "an unknown variable: {expression}");
    filled
}

#[test]
fn there_are_the_dashboards_that_are_tested_and_no_other() {
    let names: Vec<_> =
        files("grafana", "json").iter().map(|file| file.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, DASHBOARDS);
}

#[test]
fn every_dashboard_is_unique_and_asks_for_its_data_source() {
    let dashboards = DASHBOARDS.map(|dashboard| json(&format!("grafana/{dashboard}")));
    for field in ["uid", "title"] {
        let mut values: Vec<_> = dashboards.iter().map(|dashboard| string(dashboard, field)).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), DASHBOARDS.len(), "{field}");
    }
    for dashboard in &dashboards {
        let variables = list(&dashboard["templating"], "list");
        let names: Vec<_> = variables.iter().map(|variable| string(variable, "name")).collect();
        assert_eq!(names, ["datasource", "job", "instance"]);
    }
}

#[test]
fn every_panel_has_a_description_a_unit_and_the_chosen_source() {
    for dashboard in DASHBOARDS {
        for panel in panels(dashboard).iter().filter(|panel| panel["type"] != "row") {
            assert!(["timeseries", "stat", "table"].contains(&string(panel, "type")), "{panel}");
            assert!(
                !string(panel, "title").is_empty() && !string(panel, "description").is_empty(),
                "{panel}"
            );
            assert!(!string(&panel["fieldConfig"]["defaults"], "unit").is_empty(), "{panel}");
            for asking in list(panel, "targets").iter().chain([panel]) {
                assert_eq!(asking["datasource"]["uid"], "${datasource}", "{panel}");
            }
        }
    }
}

#[test]
fn no_panel_lies_on_another_or_past_the_edge() {
    for dashboard in DASHBOARDS {
        let mut taken = std::collections::BTreeSet::new();
        let mut ids = std::collections::BTreeSet::new();
        for panel in panels(dashboard) {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{dashboard} has an id twice");
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|field| panel["gridPos"][field].as_u64().unwrap());
            assert!(x + w <= 24, "{panel}");
            for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(place), "{dashboard}: {} lies on another panel", panel["title"]);
            }
        }
    }
}
