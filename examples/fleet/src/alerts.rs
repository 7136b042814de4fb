//! The alerts at the Alertmanager.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use anyhow::Context as _;
use serde::Deserialize;

/// An alert, by its name and its instance; without an instance, it is about the fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) instance: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    labels: BTreeMap<String, String>,
}

/// The alerts that fire now.
pub(crate) fn firing(alertmanager: SocketAddr) -> anyhow::Result<BTreeSet<Alert>> {
    let url = format!("http://{alertmanager}/api/v2/alerts?active=true");
    let mut answer = ureq::get(&url).call().context("Alertmanager does not answer")?;
    let told: Vec<Told> = answer.body_mut().read_json().context("Alertmanager's answer is none")?;
    Ok(told.into_iter().map(Told::into_alert).collect())
}

impl Told {
    fn into_alert(mut self) -> Alert {
        let name = self.labels.remove("alertname").unwrap_or_default();
        Alert { name, instance: self.labels.remove("instance") }
    }
}
