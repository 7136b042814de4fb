//! Traffic with known numbers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;

use anyhow::{Context as _, bail};

/// Of this number of requests one has no question, and one asks a question that no notes answer; the others are answered.
pub(crate) const ROUND: usize = 40;

/// Number of answers by status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent(BTreeMap<u16, u64>);

impl Sent {
    /// All requests.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The numbers by the label `status`, sorted as an engine returns them.
    pub(crate) fn by_status(&self) -> Vec<(String, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "counts of a test run are small")]
        self.0.iter().map(|(status, count)| (status.to_string(), *count as f64)).collect()
    }

    /// Adds further requests.
    pub(crate) fn add(&mut self, other: &Self) {
        for (status, count) in &other.0 {
            *self.0.entry(*status).or_default() += count;
        }
    }
}

/// Sends the given number of requests to each address in parallel, and waits for every answer.
pub(crate) fn send(addresses: &[SocketAddr], requests: usize) -> anyhow::Result<Sent> {
    let drivers: Vec<_> =
        addresses.iter().map(|address| (*address, thread::spawn(driver(*address, requests)))).collect();
    let mut sent = Sent::default();
    for (address, driver) in drivers {
        let Ok(answers) = driver.join() else { bail!("the driver of {address} panicked") };
        sent.add(&answers.with_context(|| format!("{address} gave no answer"))?);
    }
    Ok(sent)
}

fn driver(address: SocketAddr, requests: usize) -> impl FnOnce() -> anyhow::Result<Sent> + Send + 'static {
    move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("http://{address}/ask");
        let mut sent = Sent::default();
        for turn in 0..requests {
            let mut answer = agent.post(&url).send_json(serde_json::json!({ "question": question(turn) }))?;
            // To its end, when the service counts it.
            answer.body_mut().read_to_string()?;
            *sent.0.entry(answer.status().as_u16()).or_default() += 1;
        }
        Ok(sent)
    }
}

fn question(turn: usize) -> &'static str {
    match turn % ROUND {
        7 => "",
        23 => "Which yeast makes sourdough rise overnight?",
        even if even % 2 == 0 => "What is a skill?",
        _ => "What do the notes say about metrics?",
    }
}
