//! Tokens and cost by model and by agent, each counted once, at the model call.

use std::collections::BTreeMap;

use axum::extract::Request;

use super::object::{Object, Table, cell, decimal_cell, one_line, seconds_as_micros};
use super::query::Query;
use super::write::{counted_cost_cell, named_source, write_counted_cost};
use super::{Answer, Api, formed, recorded};
use crate::families::models::{self, Totals};
use crate::families::readings::{CountedKind, OUTCOMES};
use crate::families::{CallKind, Outcome};
use crate::prices;
use crate::run::{Recent, RecentModel, Runs};

/// What the calls of a model or an agent used.
#[derive(Debug, Default)]
struct Used {
    totals: Totals,
    /// Calls that ended. Of an agent, those that reported usage.
    calls: u64,
    without_usage: Option<u64>,
}

/// A model.
struct ModelRow {
    provider: String,
    model: String,
    running: u64,
    ended: [u64; OUTCOMES],
    retries: u64,
    recent: Option<Recent>,
    used: Used,
}

/// Every model and every agent.
pub(super) fn list(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    let runs = recorded()?;
    let (models, agents) = (by_model(runs), by_agent());
    let write = |object: &mut Object<'_>| {
        object.plain("has_prices", Some(prices::are_set()));
        object.list("models", models.iter(), |out, model| model.write(out));
        object.list("agents", agents.iter(), |out, (agent, used)| {
            let mut object = Object::open(out);
            object.maybe("agent", Some(&**agent).filter(|agent| !agent.is_empty()));
            used.write_into(&mut object);
            object.close();
        });
    };
    Ok(formed(api, runs, query.format, write, || text(&models, &agents)))
}

fn by_model(runs: Runs) -> Vec<ModelRow> {
    let (mut used, mut silent, mut retries) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    models::each_used(|[_, provider, model], totals| {
        used.entry([provider, model]).or_insert_with(Totals::default).add(totals);
    });
    models::each_unknown(|labels, count| *silent.entry(labels).or_insert(0) += count);
    models::each_retried(|labels, count| *retries.entry(labels).or_insert(0) += count);
    let mut rows = Vec::new();
    runs.each_id(CountedKind::Call(CallKind::Model), |reading, recent| {
        let key: [&str; 2] = reading.labels.first_values();
        let [provider, model] = key.map(str::to_owned);
        let calls = reading.ended.iter().sum();
        let without_usage = Some(silent.get(&key).copied().unwrap_or(0));
        let used = Used { totals: used.get(&key).copied().unwrap_or_default(), calls, without_usage };
        let retries = retries.get(&key).copied().unwrap_or(0);
        rows.push(ModelRow {
            provider,
            model,
            running: reading.running,
            ended: reading.ended,
            retries,
            recent,
            used,
        });
    });
    rows
}

/// The usage of each agent's own model calls; the empty name is for those outside of any agent.
fn by_agent() -> BTreeMap<String, Used> {
    let mut agents: BTreeMap<String, Used> = BTreeMap::new();
    models::each_used(|[agent, ..], totals| {
        let used = agents.entry(agent.to_owned()).or_default();
        used.totals.add(totals);
        used.calls += totals.calls.iter().sum::<u64>();
    });
    agents
}

impl Used {
    fn write_into(&self, object: &mut Object<'_>) {
        let Totals { input, output, cached_input, cache_write, reasoning, unpriced, .. } = self.totals;
        object.plain("calls", Some(self.calls));
        let mut tokens = Object::open(object.key("tokens"));
        let parts = [
            ("input", input),
            ("cached_input", cached_input),
            ("cache_write", cache_write),
            ("output", output),
            ("reasoning", reasoning),
        ];
        for (name, count) in parts {
            tokens.plain(name, count);
        }
        tokens.known("unknown_calls", self.without_usage);
        tokens.close();
        write_counted_cost(object, "cost", self.totals.cost.unwrap_or(0), self.priced());
        object.plain("unpriced_tokens", Some(unpriced.unwrap_or(0)));
        object.known("calls_without_usage", self.without_usage);
    }

    /// The calls with a price, and all calls of the sum.
    fn priced(&self) -> [u64; 2] {
        let [priced, unpriced] = self.totals.calls;
        // A call whose cost was reported without its tokens is in two of the three.
        let all = priced + unpriced + self.without_usage.unwrap_or(0);
        [priced, all.min(self.calls).max(priced)]
    }

    fn cells(&self) -> Vec<String> {
        let Totals { input, output, cached_input, cache_write, reasoning, unpriced, .. } = self.totals;
        let tokens = [input, cached_input, cache_write, output, reasoning].map(cell);
        let mut cells = vec![self.calls.to_string()];
        cells.extend(tokens);
        cells.push(counted_cost_cell(self.totals.cost.unwrap_or(0), self.priced()));
        cells.extend([unpriced.unwrap_or(0).to_string(), cell(self.without_usage)]);
        cells
    }
}

/// The columns of [`Used::cells`].
const USED: [&str; 9] =
    ["CALLS", "INPUT", "CACHED", "CACHE_WRITE", "OUTPUT", "REASONING", "COST", "UNPRICED", "NO_USAGE"];

impl ModelRow {
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.text("provider", &self.provider);
        object.text("model", &self.model);
        object.plain("running", Some(self.running));
        if let Some(recent) = &self.recent {
            object.decimal("calls_per_s", Some(recent.calls_per_s));
            object.decimal("error_ratio", recent.part(&[Outcome::Error, Outcome::Panic]));
        }
        let recent = self.recent_model();
        let micros = |seconds: Option<f64>| seconds.map(seconds_as_micros);
        object.plain("first_chunk_p50_us", micros(recent.first_chunk_p50));
        object.plain("first_chunk_p95_us", micros(recent.first_chunk_p95));
        object.decimal("output_tokens_per_s", recent.output_per_s);
        let (source, as_of) = self.price();
        object.maybe("price_source", source);
        object.maybe("prices_as_of", as_of.as_deref());
        object.plain("retries", Some(self.retries));
        object.plain("failed_calls", Some(self.failed()));
        self.used.write_into(&mut object);
        object.close();
    }

    /// What it did in the last five minutes; nothing if that is not kept.
    fn recent_model(&self) -> RecentModel {
        self.recent.as_ref().and_then(|recent| recent.model).unwrap_or_default()
    }

    /// The source of the cost of its last call that had one, and the day of the prices.
    fn price(&self) -> (Option<&'static str>, Option<String>) {
        named_source(self.used.totals.last_price.map(|price| price.source))
    }

    /// Calls that ended as `error` or `panic`.
    fn failed(&self) -> u64 {
        self.ended[Outcome::Error as usize] + self.ended[Outcome::Panic as usize]
    }

    fn cells(&self) -> Vec<String> {
        let recent = self.recent.as_ref();
        let errors = recent.and_then(|recent| recent.part(&[Outcome::Error, Outcome::Panic]));
        let model = self.recent_model();
        let micros = |seconds: Option<f64>| cell(seconds.map(seconds_as_micros));
        let mut cells = vec![
            one_line(&self.provider),
            one_line(&self.model),
            self.running.to_string(),
            decimal_cell(recent.map(|recent| recent.calls_per_s)),
            decimal_cell(errors),
            micros(model.first_chunk_p50),
            micros(model.first_chunk_p95),
            decimal_cell(model.output_per_s),
            self.retries.to_string(),
            self.failed().to_string(),
        ];
        cells.extend(self.used.cells());
        let (source, as_of) = self.price();
        cells.push(cell(as_of.or_else(|| source.map(str::to_owned))));
        cells
    }
}

fn text(models: &[ModelRow], agents: &BTreeMap<String, Used>) -> String {
    let own = [
        "PROVIDER",
        "MODEL",
        "RUNNING",
        "PER_S",
        "ERRORS",
        "FIRST_CHUNK_P50_US",
        "FIRST_CHUNK_P95_US",
        "OUTPUT_PER_S",
        "RETRIES",
        "FAILED",
    ];
    let mut table = Table::new(&[&own[..], &USED, &["PRICES"]].concat());
    for model in models {
        table.row(model.cells());
    }
    let mut beside = Table::new(&[&["AGENT"][..], &USED].concat());
    for (agent, used) in agents {
        let agent = if agent.is_empty() { "-".to_owned() } else { one_line(agent) };
        beside.row([agent].into_iter().chain(used.cells()));
    }
    format!("{}\n{}", table.aligned(), beside.aligned())
}
