//! The bodies of the answers.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::http::{Response, StatusCode};
use bytes::Bytes;

use super::query::Format;
use crate::families::Outcome;
use crate::json;
use crate::monitor::endpoints::answer;
use crate::run::{Node, RolledUp, Run, RunFigures};

fn json_answer(body: Vec<u8>) -> Response<Bytes> {
    answer::json(StatusCode::OK, body.into())
}

fn text_answer(body: String) -> Response<Bytes> {
    answer::lines(StatusCode::OK, body)
}

/// A JSON object in the making.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    fn key(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        json::write_str(self.out, name);
        self.out.push(b':');
        self.out
    }

    fn text(&mut self, name: &str, value: &str) {
        json::write_str(self.key(name), value);
    }

    /// A number or a truth value, which is JSON as it is displayed; `null` if there is none.
    fn plain(&mut self, name: &str, value: Option<impl Display>) {
        let text = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        self.key(name).extend_from_slice(text.as_bytes());
    }

    /// A text, or `null`.
    fn maybe(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => self.plain(name, None::<u8>),
        }
    }

    fn list<T>(&mut self, name: &str, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
        let out = self.key(name);
        out.push(b'[');
        for (at, item) in items.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write(out, item);
        }
        out.push(b']');
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

fn micros(duration: Duration) -> u128 {
    duration.as_micros()
}

fn epoch_micros(time: SystemTime) -> u128 {
    micros(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn status(run: &Run) -> &'static str {
    if run.has_ended() { run.outcome().map_or("unknown", |outcome| outcome.as_str()) } else { "running" }
}

fn failed_steps(run: &Run) -> u64 {
    let nodes = run.nodes().iter().skip(1).filter(|node| node.has_failed()).count() as u64;
    nodes + run.rolled_up().iter().map(RolledUp::failures).sum::<u64>()
}

fn steps(run: &Run) -> u64 {
    (run.nodes().len() - 1) as u64 + run.rolled_up().iter().map(RolledUp::calls).sum::<u64>()
}

/// A table of runs, with a figure beside it.
pub(super) fn runs<'r>(
    name: &str,
    runs: impl Iterator<Item = &'r Run>,
    (beside, figure): (&str, Option<u64>),
    format: Format,
) -> Response<Bytes> {
    if format == Format::Text {
        let mut rows =
            vec![["STATUS", "AGENT", "MS", "STEPS", "FAILED", "RUN", "STEP OR ERROR"].map(str::to_owned)];
        rows.extend(runs.map(text_row));
        let rest = figure.map(|figure| format!("{beside} {figure}\n"));
        return text_answer(aligned(&rows) + &rest.unwrap_or_default());
    }
    let mut body = Vec::new();
    let mut object = Object::open(&mut body);
    object.list(name, runs, |out, run| summary(out, run).close());
    object.plain(beside, figure);
    object.close();
    json_answer(body)
}

fn text_row(run: &Run) -> [String; 7] {
    let said = run.root().error().map_or_else(|| current_step(run), str::to_owned);
    [
        status(run).to_owned(),
        one_line(run.agent()),
        run.duration().as_millis().to_string(),
        steps(run).to_string(),
        failed_steps(run).to_string(),
        run.id().to_string(),
        one_line(&said),
    ]
}

/// The names of the open calls from the outermost to the one that began last.
fn current_step(run: &Run) -> String {
    let nodes = run.nodes();
    let mut at = nodes.iter().rposition(|node| node.outcome().is_none());
    let mut names = Vec::new();
    while let Some(node) = at.and_then(|at| nodes.get(at)) {
        names.push(node.name());
        at = node.parent();
    }
    names.reverse();
    names.join(" › ")
}

/// Text of others on one line, without characters that change a terminal.
fn one_line(text: &str) -> String {
    let mut out = Vec::new();
    json::write_escaped(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// Columns as wide as their widest cell, two spaces apart.
fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing into memory cannot fail.
            let _ = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn summary<'o>(out: &'o mut Vec<u8>, run: &Run) -> Object<'o> {
    let mut object = Object::open(out);
    object.text("id", &run.id().to_string());
    object.text("agent", run.agent());
    object.text("status", status(run));
    object.plain("started_us", Some(epoch_micros(run.started())));
    object.plain("duration_us", Some(micros(run.duration())));
    object.plain("steps", Some(steps(run)));
    object.plain("failed_steps", Some(failed_steps(run)));
    object.plain("incomplete", Some(run.is_incomplete()));
    object.maybe("error", run.root().error());
    object
}

/// The trees of one id.
pub(super) fn trees(runs: &[Arc<Run>], format: Format) -> Response<Bytes> {
    if format == Format::Text {
        let trees: Vec<_> = runs.iter().map(|run| format!("run {}\n{run:#}\n", run.id())).collect();
        return text_answer(trees.join("\n"));
    }
    let mut body = Vec::new();
    let mut object = Object::open(&mut body);
    object.list("runs", runs.iter(), |out, run| {
        let mut object = summary(out, run);
        object.list("nodes", run.nodes().iter(), write_node);
        object.list("rolled_up", run.rolled_up().iter(), |out, calls| {
            let mut object = Object::open(out);
            object.plain("parent", Some(calls.parent()));
            object.text("kind", calls.kind());
            object.text("name", calls.name());
            object.plain("calls", Some(calls.calls()));
            object.plain("failures", Some(calls.failures()));
            object.plain("total_us", Some(micros(calls.total())));
            object.plain("longest_us", Some(micros(calls.longest())));
            object.close();
        });
        object.close();
    });
    object.close();
    json_answer(body)
}

fn write_node(out: &mut Vec<u8>, node: &Node) {
    let mut object = Object::open(out);
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
    object.close();
}

/// The counts and the memory of the recorder.
pub(super) fn figures(figures: &RunFigures, format: Format) -> Response<Bytes> {
    let RunFigures { running, kept, ended, evicted, lost, lost_events, bytes, memory } = *figures;
    let rows = [
        ("running", running as u64),
        ("kept", kept as u64),
        ("ended", ended),
        ("evicted", evicted),
        ("lost", lost),
        ("lost_events", lost_events),
        ("bytes", bytes as u64),
        ("memory", memory as u64),
    ];
    let version = env!("CARGO_PKG_VERSION");
    if format == Format::Text {
        let head = ["version".to_owned(), version.to_owned()];
        let rows: Vec<_> =
            rows.iter().map(|(name, figure)| [(*name).to_owned(), figure.to_string()]).collect();
        return text_answer(aligned(&[vec![head], rows].concat()));
    }
    let mut body = Vec::new();
    let mut object = Object::open(&mut body);
    object.text("version", version);
    for (name, figure) in rows {
        object.plain(name, Some(figure));
    }
    object.close();
    json_answer(body)
}
