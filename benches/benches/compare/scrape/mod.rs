//! The cost of a scrape: a thousand agents, each with a success, an error, a panic and a cancellation.

mod agents;
mod limit;
mod peers;

use std::error::Error;
use std::hint::black_box;

use monitor_runtime::{Monitor, metrics};
use tokio::runtime::Builder;

use crate::harness::{Contender, race, time};
use crate::remote::{Run, remote};
use crate::report::{Figures, print};
use crate::sections::Effort;

use limit::Limit;

const AGENTS: usize = 1_000;

pub(crate) fn run(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let mut figures = against_peers(effort)?;
    figures.extend(by_size(effort)?);
    Ok(figures)
}

fn against_peers(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    agents::run(0..AGENTS);
    let mut limit = Limit::of(&metrics::render());
    let monitor = monitor()?;
    let prometheus = peers::prometheus(AGENTS)?;
    let client = peers::PrometheusClient::new(AGENTS);
    let exporter = peers::Exporter::new(AGENTS)?;
    let race = race(
        vec![
            Contender::new("limit", |_| black_box(limit.write()).len()),
            Contender::new("ours, Monitor::metrics", |_| monitor.metrics()),
            Contender::new("ours, metrics::render", |_| metrics::render()),
            Contender::new("prometheus, gather + TextEncoder", |_| peers::encode(&prometheus)),
            Contender::new("prometheus-client, encode", |_| client.encode()),
            Contender::new("metrics-exporter-prometheus, render", |_| exporter.render()),
        ],
        effort.rounds(40),
    );
    print("a scrape of 1,000 agents with every status", &race, |_| None);
    let ours = race.cost("ours, Monitor::metrics");
    Ok(vec![
        ("prometheus_encode_over_scrape", race.cost("prometheus, gather + TextEncoder") / ours),
        ("scrape_over_limit", ours / race.cost("limit")),
    ])
}

/// Numbers of agents that make about a thousand and a hundred thousand series, and none. None gives the fixed cost of a scrape:
/// the metrics of the process are read from the system.
const SIZES: [usize; 3] = [0, 1_000_usize.div_ceil(agents::SERIES), 100_000_usize.div_ceil(agents::SERIES)];

fn by_size(effort: Effort) -> Result<Figures, Box<dyn Error>> {
    let [none, small, large] = SIZES;
    let render = |name, agents: usize| remote(name, &format!("scrape/{agents}"));
    let race = race(
        vec![
            render("no agent", none)?.batch(16),
            render("1,000 series", small)?.batch(16),
            render("100,000 series", large)?,
        ],
        effort.rounds(60),
    );
    print("a scrape by its size", &race, |name| (name != "no agent").then_some("no agent"));
    let linear = (large - none) as f64 / (small - none) as f64;
    let ratio = race.net("100,000 series", "no agent") / race.net("1,000 series", "no agent");
    Ok(vec![("scrape_100k_over_linear", ratio / linear)])
}

/// A process in which the given number of agents has run.
pub(crate) fn contender(member: &str) -> Result<Run, Box<dyn Error>> {
    agents::run(0..member.parse()?);
    let monitor = monitor()?;
    Ok(Box::new(move |times| time(times, |_| monitor.metrics())))
}

/// Answers a scrape with the bytes of a response, as the peers' encoders return bytes or text.
fn monitor() -> Result<Monitor, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().build()?;
    let _inside = runtime.enter();
    Ok(Monitor::builder().build()?)
}
