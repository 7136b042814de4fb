//! Calls by name: how many, how fast and how they ended, and samples of each.

use std::cmp::Reverse;
use std::time::SystemTime;

use ::http::StatusCode;
use axum::extract::Request;

use super::object::{Object, Table, cell, decimal_cell, epoch_micros, micros, one_line, seconds_as_micros};
use super::query::{Query, Sampled};
use super::refusal::Refusal;
use super::write::write_cost;
use super::{Answer, Api, formed, recorded};
use crate::families::readings::{CountedKind, DECADES, OUTCOMES, Reading, by_decade, decade_of};
use crate::families::{CallKind, Outcome, pools};
use crate::run::{Recent, RunId, Runs};
use crate::usage::{CostSum, UsageSum};

/// The samples of each cell.
const EACH: usize = 10;

/// All calls of a name.
struct CallRow {
    kind: CountedKind,
    name: String,
    operation: Option<String>,
    running: u64,
    ended: [u64; OUTCOMES],
    decades: [u64; DECADES],
    recent: Option<Recent>,
}

impl CallRow {
    fn of(kind: CountedKind, reading: &Reading<'_>, recent: Option<Recent>) -> Self {
        let (name, operation) = kind.names(reading.labels);
        Self {
            kind,
            name: name.to_owned(),
            operation: operation.map(str::to_owned),
            running: reading.running,
            ended: reading.ended,
            decades: by_decade(reading.bounds, reading.succeeded),
            recent,
        }
    }

    fn count(&self) -> u64 {
        self.ended.iter().sum()
    }

    /// Adds the calls of the same name with another operation. What both did in the last minutes is not known together.
    fn merge(&mut self, other: &Self) {
        self.operation = None;
        self.running += other.running;
        self.ended.iter_mut().zip(other.ended).for_each(|(sum, count)| *sum += count);
        self.decades.iter_mut().zip(other.decades).for_each(|(sum, count)| *sum += count);
        self.recent = None;
    }

    fn write_into(&self, object: &mut Object<'_>) {
        object.text("kind", self.kind.as_str());
        object.text("name", &self.name);
        object.maybe("operation", self.operation.as_deref());
        object.plain("running", Some(self.running));
        if let Some(recent) = &self.recent {
            write_recent(object, recent);
        }
        object.plain("count", Some(self.count()));
        for outcome in Outcome::ALL {
            object.plain(outcome.as_str(), Some(self.ended[outcome as usize]));
        }
        object.list("decades", self.decades.iter(), |out, count| {
            out.extend_from_slice(count.to_string().as_bytes());
        });
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![
            self.kind.as_str().to_owned(),
            one_line(&self.name),
            cell(self.operation.as_deref().map(one_line)),
            self.running.to_string(),
        ];
        cells.extend(recent_cells(self.recent.as_ref()));
        cells.push(self.count().to_string());
        cells.extend(self.ended.iter().chain(&self.decades).map(ToString::to_string));
        cells
    }
}

/// The columns of [`CallRow::cells`].
const COLUMNS: [&str; 22] = [
    "KIND",
    "NAME",
    "OPERATION",
    "RUNNING",
    "PER_S",
    "P50_US",
    "P95_US",
    "P99_US",
    "ERRORS",
    "CANCELS",
    "COUNT",
    "SUCCESS",
    "ERROR",
    "PANIC",
    "CANCELLED",
    "<10MS",
    "<100MS",
    "<1S",
    "<10S",
    "<100S",
    "<1000S",
    "MORE",
];

/// Writes what an id did in the last minutes.
fn write_recent(object: &mut Object<'_>, recent: &Recent) {
    object.decimal("calls_per_s", Some(recent.calls_per_s));
    for (name, seconds) in [("p50_us", recent.p50), ("p95_us", recent.p95), ("p99_us", recent.p99)] {
        object.plain(name, seconds.map(seconds_as_micros));
    }
    object.decimal("error_ratio", recent.part(&[Outcome::Error, Outcome::Panic]));
    object.decimal("cancelled_ratio", recent.part(&[Outcome::Cancelled]));
}

fn recent_cells(recent: Option<&Recent>) -> [String; 6] {
    let micros = |of: fn(&Recent) -> Option<f64>| cell(recent.and_then(of).map(seconds_as_micros));
    let part = |outcomes: &[Outcome]| decimal_cell(recent.and_then(|recent| recent.part(outcomes)));
    [
        decimal_cell(recent.map(|recent| recent.calls_per_s)),
        micros(|recent| recent.p50),
        micros(|recent| recent.p95),
        micros(|recent| recent.p99),
        part(&[Outcome::Error, Outcome::Panic]),
        part(&[Outcome::Cancelled]),
    ]
}

/// An agent on the first screen.
pub(super) struct AgentRow {
    calls: CallRow,
    /// The number of its runs that ended since the start, and what they used.
    used: Option<(u64, UsageSum, CostSum)>,
}

/// The agents, by name.
pub(super) fn agents(runs: Runs) -> Vec<AgentRow> {
    let mut rows = Vec::new();
    let kind = CountedKind::Call(CallKind::Agent);
    runs.each_id(kind, |reading, recent| rows.push(CallRow::of(kind, reading, recent)));
    let used = runs.used_by(rows.iter().map(|row| &*row.name));
    rows.into_iter().zip(used).map(|(calls, used)| AgentRow { calls, used }).collect()
}

impl AgentRow {
    pub(super) fn name(&self) -> &str {
        &self.calls.name
    }

    pub(super) fn p95_us(&self) -> Option<u64> {
        self.calls.recent.as_ref()?.p95.map(seconds_as_micros)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.text("name", &self.calls.name);
        object.plain("running", Some(self.calls.running));
        if let Some(recent) = &self.calls.recent {
            write_recent(&mut object, recent);
            let spark = recent.spark.iter();
            object.list("spark", spark, |out, count| out.extend_from_slice(count.to_string().as_bytes()));
        }
        if let Some((runs, usage, cost)) = &self.used {
            object.decimal("tokens_per_run", usage.tokens().map(|tokens| mean(tokens, *runs)));
            write_cost(&mut object, "cost_per_run", &cost.per(*runs));
        }
        object.close();
    }

    pub(super) fn table(rows: &[Self]) -> Table {
        let mut table = Table::new(&[
            "AGENTS",
            "RUNNING",
            "PER_S",
            "P50_US",
            "P95_US",
            "P99_US",
            "ERRORS",
            "CANCELS",
            "TOKENS_PER_RUN",
            "COST_PER_RUN",
        ]);
        for Self { calls: row, used } in rows {
            let cells = [one_line(&row.name), row.running.to_string()];
            let tokens = used.as_ref().and_then(|(runs, usage, _)| Some(mean(usage.tokens()?, *runs)));
            let cost = used.as_ref().filter(|(_, _, cost)| cost.calls() > 0);
            let used = [decimal_cell(tokens), cell(cost.map(|(runs, _, cost)| cost.per(*runs)))];
            table.row(cells.into_iter().chain(recent_cells(row.recent.as_ref())).chain(used));
        }
        table
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean is rounded anyway")]
fn mean(sum: u64, count: u64) -> f64 {
    sum as f64 / count.max(1) as f64
}

/// Every name of every kind.
pub(super) fn list(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &[])?;
    let runs = recorded()?;
    let mut rows = Vec::new();
    for kind in CountedKind::ALL {
        runs.each_id(kind, |reading, recent| rows.push(CallRow::of(kind, reading, recent)));
    }
    let pools = pools::states();
    let write = |object: &mut Object<'_>| {
        object.list("calls", rows.iter(), |out, row| {
            let mut object = Object::open(out);
            row.write_into(&mut object);
            object.close();
        });
        object.list("pools", pools.iter(), |out, (name, state)| {
            let mut object = Object::open(out);
            object.text("name", name);
            object.plain("leased", Some(state.active));
            object.plain("idle", Some(state.idle));
            object.plain("max", Some(state.max));
            object.close();
        });
    };
    let text = || {
        let mut table = Table::new(&COLUMNS);
        for row in &rows {
            table.row(row.cells());
        }
        if pools.is_empty() {
            return table.aligned();
        }
        let mut beside = Table::new(&["POOL", "LEASED", "IDLE", "MAX"]);
        for (name, state) in &pools {
            let counts = [state.active, state.idle, state.max].map(|count| count.to_string());
            beside.row([one_line(name)].into_iter().chain(counts));
        }
        format!("{}\n{}", table.aligned(), beside.aligned())
    };
    Ok(formed(api, runs, query.format, write, text))
}

/// One name and its samples.
pub(super) fn one(api: &Api, kind: &str, name: &str, request: &Request) -> Answer {
    let query = Query::parse(request, &["decade", "outcome", "operation", "limit"])?;
    let runs = recorded()?;
    let Some(kind) = CountedKind::ALL.into_iter().find(|of| of.as_str() == kind) else {
        let shown: String = kind.chars().take(64).collect();
        let text = format!("`{shown}` is no kind of calls; there are agent, skill, model, query and route");
        return Err(Refusal::new(StatusCode::NOT_FOUND, &text));
    };
    let (row, labels) = row_of(runs, kind, name, query.operation.as_deref()).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let text = format!("no {} `{shown}` has been called; `calls` has all names", kind.as_str());
        Refusal::new(StatusCode::NOT_FOUND, &text)
    })?;
    let mut samples = samples(runs, kind, name, &query);
    samples.extend(lone_samples(runs, kind, &labels, &query));
    samples.sort_by_key(|sample| Reverse(sample.started));
    samples.truncate(query.limit);
    let write = |object: &mut Object<'_>| {
        row.write_into(object);
        object.list("samples", samples.iter(), |out, sample| sample.write(out));
    };
    let text = || {
        let mut table = Table::new(&COLUMNS);
        table.row(row.cells());
        let mut beside = Table::new(&["STARTED_US", "US", "OUTCOME", "RUN", "NODE", "ERROR"]);
        for sample in &samples {
            beside.row(sample.cells());
        }
        format!("{}\n{}", table.aligned(), beside.aligned())
    };
    Ok(formed(api, runs, query.format, write, text))
}

/// The labels of an id.
type LabelValues = Vec<String>;

/// The row of a name, with the labels of all its ids.
fn row_of(
    runs: Runs,
    kind: CountedKind,
    name: &str,
    operation: Option<&str>,
) -> Option<(CallRow, Vec<LabelValues>)> {
    let (mut found, mut labels) = (None::<CallRow>, Vec::new());
    runs.each_id(kind, |reading, recent| {
        let (own_name, own_operation) = kind.names(reading.labels);
        if own_name != name || operation.is_some_and(|operation| own_operation != Some(operation)) {
            return;
        }
        labels.push(reading.labels.values().map(str::to_owned).collect());
        let row = CallRow::of(kind, reading, recent);
        match &mut found {
            Some(found) => found.merge(&row),
            None => found = Some(row),
        }
    });
    Some((found?, labels))
}

/// One call that is kept.
struct Sample {
    /// The run and the place of the call in it; `None` outside of any run.
    place: Option<(RunId, usize)>,
    started: SystemTime,
    duration: std::time::Duration,
    outcome: Outcome,
    error: Option<String>,
}

impl Sample {
    fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.maybe("run", self.place.map(|(run, _)| run.to_string()).as_deref());
        object.plain("node", self.place.map(|(_, node)| node));
        object.plain("started_us", Some(epoch_micros(self.started)));
        object.plain("duration_us", Some(micros(self.duration)));
        object.text("outcome", self.outcome.as_str());
        object.maybe("error", self.error.as_deref());
        object.close();
    }

    fn cells(&self) -> [String; 6] {
        [
            epoch_micros(self.started).to_string(),
            micros(self.duration).to_string(),
            self.outcome.as_str().to_owned(),
            cell(self.place.map(|(run, _)| run)),
            cell(self.place.map(|(_, node)| node)),
            cell(self.error.as_deref().map(one_line)),
        ]
    }
}

/// Whether a sample is of the cell that is asked for. A decade is of calls that succeeded, unless an outcome is given.
fn is_wanted(query: &Query, outcome: Outcome, duration: std::time::Duration) -> bool {
    let has_outcome = match query.outcome {
        Some(Sampled::Failed) => matches!(outcome, Outcome::Error | Outcome::Panic),
        Some(Sampled::Cancelled) => outcome == Outcome::Cancelled,
        None => query.decade.is_none() || outcome == Outcome::Success,
    };
    has_outcome && query.decade.is_none_or(|decade| decade == decade_of(duration))
}

/// The cell of a sample among those of an id.
fn cell_of(outcome: Outcome, duration: std::time::Duration) -> usize {
    match outcome {
        Outcome::Success => decade_of(duration),
        Outcome::Error | Outcome::Panic => DECADES,
        Outcome::Cancelled => DECADES + 1,
    }
}

/// The calls of this name in kept runs, at most ten of each cell, those of the runs that ended last.
fn samples(runs: Runs, kind: CountedKind, name: &str, query: &Query) -> Vec<Sample> {
    let mut counts = [0; DECADES + 2];
    let mut samples = Vec::new();
    for kept in runs.kept().0 {
        for (at, node) in kept.run.nodes().iter().enumerate() {
            // As `CountedKind::names` has it.
            let operation = node.model().map_or(node.operation(), |call| call.provider());
            let is_of_operation = query.operation.as_deref().is_none_or(|wanted| wanted == operation);
            if node.name() != name || node.kind() != kind.as_str() || !is_of_operation {
                continue;
            }
            let (Some(outcome), Some(duration)) = (node.outcome(), node.duration()) else { continue };
            let count = &mut counts[cell_of(outcome, duration)];
            if !is_wanted(query, outcome, duration) || *count >= EACH {
                continue;
            }
            *count += 1;
            samples.push(Sample {
                place: Some((kept.run.id(), at)),
                started: kept.run.started() + node.start(),
                duration,
                outcome,
                error: node.error().map(str::to_owned),
            });
        }
    }
    samples
}

/// The calls of these ids outside of any run.
fn lone_samples(runs: Runs, kind: CountedKind, labels: &[LabelValues], query: &Query) -> Vec<Sample> {
    let CountedKind::Call(kind) = kind else { return Vec::new() };
    let of = |labels: &LabelValues| {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        runs.lone_calls(kind, &labels)
    };
    let calls = labels.iter().flat_map(of).filter(|call| is_wanted(query, call.outcome, call.duration));
    let sample = |call: crate::run::LoneCall| Sample {
        place: None,
        started: call.started,
        duration: call.duration,
        outcome: call.outcome,
        error: call.error.map(String::from),
    };
    calls.map(sample).collect()
}
