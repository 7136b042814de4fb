//! A client of an engine that answers `PromQL` over HTTP: Prometheus or `VictoriaMetrics`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

/// Timeout of a request, after which it is repeated.
const SOON: Duration = Duration::from_secs(5);

/// An engine, by its name and address.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    metric: Value,
    value: (f64, String),
}

impl Engine {
    /// The series of an instant query: the value of one label, and the sample.
    pub(crate) fn by_label(&self, label: &str, query: &str) -> anyhow::Result<Vec<(String, f64)>> {
        let text = |sample: &Sample| sample.metric[label].as_str().unwrap_or_default().to_owned();
        let value = |sample: &Sample| sample.value.1.parse().context("a sample is no number");
        let mut series = self
            .samples(query)?
            .iter()
            .map(|sample| Ok((text(sample), value(sample)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        series.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(series)
    }

    /// The one sample of an instant query, or none.
    pub(crate) fn value(&self, query: &str) -> anyhow::Result<Option<f64>> {
        Ok(self.by_label("", query)?.first().map(|(_, value)| *value))
    }

    fn samples(&self, query: &str) -> anyhow::Result<Vec<Sample>> {
        let url = format!("http://{}/api/v1/query", self.address);
        let answered = ureq::get(&url).query("query", query).call();
        let mut answer = answered.with_context(|| format!("{} refuses the query {query}", self.name))?;
        let answer: Answer = answer.body_mut().read_json().context("an answer that is none")?;
        Ok(answer.data.result)
    }
}

/// Whether the address answers 200 within the timeout.
pub(crate) fn answers(address: SocketAddr, path: &str) -> Result<(), String> {
    let request = ureq::get(&format!("http://{address}{path}")).config().timeout_global(Some(SOON)).build();
    match request.call() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
