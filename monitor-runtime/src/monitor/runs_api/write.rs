//! Runs in answers: as rows, and as trees.

use std::fmt::Write as _;

use super::object::{Object, Table, cell, epoch_micros, micros, one_line};
use crate::families::Outcome;
use crate::genai::{Cost, CostSource, CostSum, UsageSum};
use crate::json;
use crate::run::{BudgetLimit, Line, LogLine, ModelCall, Node, Note, RolledUp, Run};

pub(super) fn status(run: &Run) -> &'static str {
    if run.has_ended() { run.outcome().map_or("unknown", |outcome| outcome.as_str()) } else { "running" }
}

pub(super) fn failed_steps(run: &Run) -> u64 {
    let nodes = run.nodes().iter().skip(1).filter(|node| node.has_failed()).count() as u64;
    nodes + run.rolled_up().iter().map(RolledUp::failures).sum::<u64>()
}

pub(super) fn steps(run: &Run) -> u64 {
    (run.nodes().len() - 1) as u64 + run.rolled_up().iter().map(RolledUp::calls).sum::<u64>()
}

/// The calls of a kind inside the outermost one.
fn calls_of(run: &Run, kind: &str) -> u64 {
    let nodes = run.nodes().iter().skip(1).filter(|node| node.kind() == kind).count() as u64;
    nodes + run.rolled_up().iter().filter(|calls| calls.kind() == kind).map(RolledUp::calls).sum::<u64>()
}

/// Calls that are a further attempt.
pub(super) fn retries(run: &Run) -> u64 {
    run.nodes().iter().filter(|node| node.attempt() > 1).count() as u64
}

/// Calls with arguments of earlier ones.
fn repeats(run: &Run) -> u64 {
    run.nodes().iter().filter(|node| node.identical_calls() > 1).count() as u64
}

/// Whether a call of the run has passed its budget, or may have.
fn budget(run: &Run) -> Option<&'static str> {
    if run.passed_limits().next().is_some() {
        Some("over")
    } else {
        run.unverifiable_limits().next().is_some().then_some("unverifiable")
    }
}

/// Writes a list of the names of limits.
fn write_limits(object: &mut Object<'_>, name: &str, limits: impl Iterator<Item = BudgetLimit>) {
    object.list(name, limits, |out, limit| json::write_str(out, limit.as_str()));
}

/// What the run cost in nano-dollars; `None` if that is not known.
pub(super) fn cost_of(run: &Run) -> Option<u64> {
    run.cost().nanos()
}

/// The tokens of the run; `None` if they are not known.
pub(super) fn tokens_of(run: &Run) -> Option<u64> {
    run.usage().tokens()
}

/// A run of an answer, with what the run itself does not know.
pub(super) struct Row<'r> {
    pub(super) run: &'r Run,
    pub(super) is_pinned: bool,
    /// The 95th percentile of its agent, of a run that goes on.
    pub(super) p95_us: Option<u64>,
    /// Whether the row tells the duration. That of a run that goes on changes all the time, and a reader knows its begin.
    pub(super) is_timed: bool,
    /// Whether its reader may see the contents of calls.
    pub(super) has_contents: bool,
}

impl<'r> Row<'r> {
    pub(super) fn of(run: &'r Run) -> Self {
        Self { run, is_pinned: false, p95_us: None, is_timed: true, has_contents: false }
    }
}

/// Writes a run as a row of JSON.
pub(super) fn write_row(out: &mut Vec<u8>, row: &Row<'_>) {
    summary(out, row).close();
}

/// The columns of a table of runs.
const COLUMNS: [&str; 20] = [
    "STATUS",
    "AGENT",
    "STARTED_US",
    "US",
    "STEPS",
    "FAILED",
    "MODELS",
    "SKILLS",
    "QUERIES",
    "RETRIES",
    "REPEATS",
    "IN",
    "CACHED",
    "OUT",
    "COST",
    "MARKS",
    "TAGS",
    "P95_US",
    "RUN",
    "STEP OR ERROR",
];

/// A table of runs.
pub(super) fn table<'r>(rows: impl Iterator<Item = Row<'r>>) -> Table {
    let mut table = Table::new(&COLUMNS);
    for row in rows {
        table.row(text_row(&row));
    }
    table
}

fn text_row(row: &Row<'_>) -> [String; COLUMNS.len()] {
    let (run, usage) = (row.run, row.run.usage());
    let said = run.root().error().map_or_else(|| current_step(run), str::to_owned);
    let pinned = row.is_pinned.then(|| "pinned".to_owned());
    let incomplete = run.is_incomplete().then(|| "incomplete".to_owned());
    let over = limits_text("over", run.passed_limits());
    let unverifiable = limits_text("unverifiable", run.unverifiable_limits());
    let marks = [pinned, incomplete, over, unverifiable].into_iter().flatten();
    let tags = run.tags().map(|(key, value)| one_line(&format!("{key}={value}")));
    [
        status(run).to_owned(),
        one_line(run.agent()),
        epoch_micros(run.started()).to_string(),
        micros(run.duration()).to_string(),
        steps(run).to_string(),
        failed_steps(run).to_string(),
        calls_of(run, "model").to_string(),
        calls_of(run, "skill").to_string(),
        calls_of(run, "query").to_string(),
        retries(run).to_string(),
        repeats(run).to_string(),
        cell(usage.input_tokens()),
        cell(usage.cached_input_tokens()),
        cell(usage.output_tokens()),
        if run.cost().calls() == 0 { "-".to_owned() } else { run.cost().to_string() },
        joined(marks),
        joined(tags),
        cell(row.p95_us),
        run.id().to_string(),
        one_line(&said),
    ]
}

/// A mark with the names of limits, as `over:cost+tokens`.
fn limits_text(mark: &str, limits: impl Iterator<Item = BudgetLimit>) -> Option<String> {
    let names: Vec<_> = limits.map(BudgetLimit::as_str).collect();
    (!names.is_empty()).then(|| format!("{mark}:{}", names.join("+")))
}

/// Texts with commas between them; a dash if there are none.
fn joined(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<_> = texts.collect();
    if texts.is_empty() { "-".to_owned() } else { texts.join(",") }
}

/// The names of the open calls from the outermost to the one that began last, which has its kind too unless it is an agent:
/// `planner › searcher › skill web_search`.
pub(super) fn current_step(run: &Run) -> String {
    let nodes = run.nodes();
    let mut at = nodes.iter().rposition(|node| node.outcome().is_none());
    let mut names = Vec::new();
    while let Some(node) = at.and_then(|at| nodes.get(at)) {
        let has_kind = names.is_empty() && node.kind() != "agent";
        names.push(if has_kind {
            format!("{} {}", node.kind(), node.name())
        } else {
            node.name().to_owned()
        });
        at = node.parent();
    }
    names.reverse();
    names.join(" › ")
}

pub(super) fn summary<'o>(out: &'o mut Vec<u8>, row: &Row<'_>) -> Object<'o> {
    let mut object = Object::open(out);
    write_summary(&mut object, row);
    object
}

/// Writes the fields of a row.
pub(super) fn write_summary(object: &mut Object<'_>, row: &Row<'_>) {
    let run = row.run;
    object.text("id", &run.id().to_string());
    object.text("agent", run.agent());
    object.text("status", status(run));
    object.plain("started_us", Some(epoch_micros(run.started())));
    if row.is_timed {
        object.plain("duration_us", Some(micros(run.duration())));
    }
    object.plain("steps", Some(steps(run)));
    object.plain("failed_steps", Some(failed_steps(run)));
    object.plain("incomplete", Some(run.is_incomplete()));
    object.maybe("error", run.root().error());
    object.plain("model_calls", Some(calls_of(run, "model")));
    object.plain("skill_calls", Some(calls_of(run, "skill")));
    object.plain("query_calls", Some(calls_of(run, "query")));
    object.plain("retries", Some(retries(run)));
    object.plain("repeats", Some(repeats(run)));
    object.maybe("budget", budget(run));
    write_limits(object, "limits_hit", run.passed_limits());
    write_limits(object, "limits_unverifiable", run.unverifiable_limits());
    let mut tags = Object::open(object.key("tags"));
    run.tags().for_each(|(key, value)| tags.text(key, value));
    tags.close();
    object.plain("pinned", Some(row.is_pinned));
    write_usage(object, &run.usage());
    write_cost(object, "cost", &run.cost());
    if !run.has_ended() {
        object.text("step", &current_step(run));
        object.plain("p95_us", row.p95_us);
        object.maybe("last_line", run.lines().last().map(Line::message));
    }
}

/// The trees of one id as text, with their log lines if they are asked for.
pub(super) fn trees(rows: &[Row<'_>], has_lines: bool) -> String {
    let tree = |row: &Row<'_>| {
        let run = row.run;
        let mut text = format!("run {}\n{run:#}\n", run.id());
        for (at, node) in run.nodes().iter().enumerate().filter(|_| row.has_contents) {
            for (name, content) in node.contents() {
                // Writing into memory cannot fail.
                let _ = writeln!(text, "{at} {} {name}={}", one_line(node.name()), one_line(content));
            }
        }
        for line in run.lines().iter().filter(|_| has_lines) {
            text.push_str(&line_text(line.line()));
        }
        if has_lines && run.left_out_lines() > 0 {
            // Writing into memory cannot fail.
            let _ = writeln!(text, "{} further lines were left out", run.left_out_lines());
        }
        text
    };
    rows.iter().map(tree).collect::<Vec<_>>().join("\n")
}

/// Writes a run with its tree.
pub(super) fn write_tree(out: &mut Vec<u8>, row: &Row<'_>) {
    let run = row.run;
    let mut object = summary(out, row);
    object.list("nodes", run.nodes().iter(), |out, node| write_node(out, node, row.has_contents));
    object.list("rolled_up", run.rolled_up().iter(), write_rolled_up);
    object.list("notes", run.notes().iter(), write_note);
    object.plain("lost_texts", Some(run.lost_texts()));
    object.list("lines", run.lines().iter(), write_own_line);
    object.plain("left_out_lines", Some(run.left_out_lines()));
    object.close();
}

/// Writes a note with its node.
pub(super) fn write_note(out: &mut Vec<u8>, note: &Note) {
    let mut object = Object::open(out);
    object.plain("node", Some(note.node()));
    object.plain("at_us", Some(micros(note.at())));
    object.text("text", note.text());
    object.close();
}

/// Writes a log line of a run, with its node.
pub(super) fn write_own_line(out: &mut Vec<u8>, line: &Line) {
    let mut object = line_object(out, line.line());
    object.plain("node", line.node());
    object.close();
}

pub(super) fn write_rolled_up(out: &mut Vec<u8>, calls: &RolledUp) {
    let mut object = Object::open(out);
    object.plain("parent", Some(calls.parent()));
    object.text("kind", calls.kind());
    object.text("name", calls.name());
    object.plain("calls", Some(calls.calls()));
    object.plain("failures", Some(calls.failures()));
    object.plain("total_us", Some(micros(calls.total())));
    object.plain("longest_us", Some(micros(calls.longest())));
    write_usage(&mut object, &calls.usage());
    write_cost(&mut object, "cost", &calls.cost());
    object.close();
}

/// Writes a log line.
pub(super) fn write_line(out: &mut Vec<u8>, line: &LogLine) {
    line_object(out, line).close();
}

fn line_object<'o>(out: &'o mut Vec<u8>, line: &LogLine) -> Object<'o> {
    let mut object = Object::open(out);
    object.plain("seq", Some(line.number()));
    object.plain("time_us", Some(epoch_micros(line.time())));
    object.text("level", line.level());
    object.text("logger", line.logger());
    object.text("text", line.message());
    object.key("fields").extend_from_slice(line.fields().as_bytes());
    object.maybe("run", line.run().map(|run| run.to_string()).as_deref());
    object
}

/// A log line as a line of text: time, level, logger, message, fields, run.
pub(super) fn line_text(line: &LogLine) -> String {
    let (time, level) = (epoch_micros(line.time()), line.level());
    let run = line.run().map_or_else(|| "-".to_owned(), |run| run.to_string());
    let [logger, message] = [line.logger(), line.message()].map(one_line);
    format!("{time} {level:<5} {logger} {message} {} {run}\n", line.fields())
}

fn write_node(out: &mut Vec<u8>, node: &Node, has_contents: bool) {
    let mut object = Object::open(out);
    write_fields(&mut object, node, has_contents);
    object.close();
}

/// Writes a node with its place.
pub(super) fn write_node_at(out: &mut Vec<u8>, (at, node): (usize, &Node), has_contents: bool) {
    let mut object = Object::open(out);
    object.plain("at", Some(at));
    write_fields(&mut object, node, has_contents);
    object.close();
}

fn write_fields(object: &mut Object<'_>, node: &Node, has_contents: bool) {
    object.plain("parent", node.parent());
    object.text("kind", node.kind());
    object.text("name", node.name());
    object.maybe("operation", Some(node.operation()).filter(|operation| !operation.is_empty()));
    object.plain("start_us", Some(micros(node.start())));
    object.plain("duration_us", node.duration().map(micros));
    object.plain("waiting_us", Some(micros(node.waiting())));
    object.plain("first_item_us", node.first_item().map(micros));
    object.plain("items", Some(node.items()));
    object.maybe("outcome", node.outcome().map(Outcome::as_str));
    object.maybe("error", node.error());
    object.plain("attempt", Some(node.attempt()));
    object.plain("judged", Some(node.is_judged()));
    object.plain("detached", Some(node.is_detached()));
    object.maybe("retry_reason", node.retry_reason());
    object.plain("repeat", Some(node.identical_calls()));
    object.plain("over_budget", Some(node.passed_limits().next().is_some()));
    write_limits(object, "limits_hit", node.passed_limits());
    write_limits(object, "limits_unverifiable", node.unverifiable_limits());
    if has_contents && node.contents().next().is_some() {
        let mut contents = Object::open(object.key("content"));
        node.contents().for_each(|(name, text)| contents.text(name, text));
        contents.close();
    }
    if let Some(call) = node.model() {
        write_model(object.key("model"), call);
    }
}

/// The tokens of model calls, `null` without any.
fn write_usage(object: &mut Object<'_>, usage: &UsageSum) {
    if usage.calls() == 0 {
        return object.plain("tokens", None::<u8>);
    }
    let mut tokens = Object::open(object.key("tokens"));
    tokens.plain("input", usage.input_tokens());
    tokens.plain("cached_input", usage.cached_input_tokens());
    tokens.plain("cache_write", usage.cache_write_input_tokens());
    tokens.plain("output", usage.output_tokens());
    tokens.plain("reasoning", usage.reasoning_output_tokens());
    tokens.plain("unknown_calls", Some(usage.unknown_calls()));
    tokens.close();
}

/// The cost of model calls, `null` without any.
pub(super) fn write_cost(object: &mut Object<'_>, name: &str, sum: &CostSum) {
    if sum.calls() == 0 {
        return object.plain(name, None::<u8>);
    }
    let mut cost = Object::open(object.key(name));
    cost.plain("nano_usd", Some(sum.nanos().unwrap_or(0)));
    cost.plain("priced", Some(sum.priced_calls()));
    cost.plain("of", Some(sum.calls()));
    cost.plain("estimated", Some(sum.is_estimate()));
    cost.close();
}

/// The cost of model calls as counters have it: nano-dollars, and the calls with a price among all; `null` without any call.
pub(super) fn write_counted_cost(object: &mut Object<'_>, name: &str, nanos: u64, [priced, of]: [u64; 2]) {
    if of == 0 {
        return object.plain(name, None::<u8>);
    }
    let mut cost = Object::open(object.key(name));
    for (name, count) in [("nano_usd", nanos), ("priced", priced), ("of", of)] {
        cost.plain(name, Some(count));
    }
    cost.close();
}

/// The same for a person: never `$0` for what has no price.
pub(super) fn counted_cost_cell(nanos: u64, [priced, of]: [u64; 2]) -> String {
    match priced {
        _ if of == 0 => "-".to_owned(),
        0 => "unpriced".to_owned(),
        _ => {
            let bound = if priced < of { ">=" } else { "" };
            format!("{bound}${}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
        }
    }
}

/// The name of a cost's source, and the day of its prices.
pub(super) fn named_source(source: Option<CostSource>) -> (Option<&'static str>, Option<String>) {
    match source {
        None => (None, None),
        Some(CostSource::Provider) => (Some("provider"), None),
        Some(CostSource::Local { as_of }) => (Some("local"), as_of.map(|day| day.to_string())),
    }
}

fn write_model(out: &mut Vec<u8>, call: ModelCall<'_>) {
    let mut object = Object::open(out);
    object.text("provider", call.provider());
    object.text("request_model", call.request_model());
    object.maybe("response_model", call.response_model());
    write_usage(&mut object, &call.usage_sum());
    write_cost(&mut object, "cost", &call.cost_sum());
    let (source, as_of) = named_source(call.cost().map(Cost::source));
    object.maybe("cost_source", source);
    object.maybe("prices_as_of", as_of.as_deref());
    object.maybe("finish", call.finish_reason());
    object.plain("refused", Some(call.is_refusal()));
    object.plain("first_chunk_us", call.first_chunk().map(micros));
    object.plain("attempts", Some(u64::from(call.retries()) + 1));
    object.plain("backoff_us", Some(micros(call.backoff())));
    object.close();
}
