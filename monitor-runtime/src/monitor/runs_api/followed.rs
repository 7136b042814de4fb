//! The changes of a run that somebody watches.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::events::event;
use super::object::Object;
use super::write::{self, Row};
use crate::families::Outcome;
use crate::run::{Line, Node, Run, RunId, Runs};

/// The runs of an id, as they were told.
#[derive(Default)]
pub(super) struct Followed(Vec<Told>);

/// A run as it was told.
#[derive(Default, PartialEq)]
struct Told {
    /// The begin of the run, by which runs of one id differ.
    ticks: u64,
    summary: Vec<u8>,
    nodes: Vec<ToldNode>,
    rolled_up: Vec<u8>,
    /// The number of notes.
    notes: usize,
    /// The number of the last log line.
    line: Option<u64>,
    /// Texts and log lines for which there was no room.
    left_out: (u32, u64),
}

/// What changes in a node while its run goes on.
#[derive(PartialEq)]
struct ToldNode {
    /// Another node has this place if an earlier one was read later.
    start: Duration,
    name: &'static str,
    duration: Option<Duration>,
    first_item: Option<Duration>,
    waiting: Duration,
    items: u64,
    outcome: Option<Outcome>,
    attempt: u64,
    is_detached: bool,
    identical_calls: u32,
    limits: usize,
    /// The number of arguments and results that are kept.
    contents: usize,
    has_error: bool,
}

/// What there is to tell of the runs of an id.
#[derive(Default)]
pub(super) struct Changes {
    /// To those who have seen the runs.
    pub(super) news: Vec<Bytes>,
    /// To those who have not.
    pub(super) everything: Vec<Bytes>,
    /// Whether the runs have other places than they had, so the page has to read them again.
    pub(super) has_moved: bool,
}

impl Followed {
    /// Looks at the runs of an id. `wants_everything` says whether anybody has not seen them.
    pub(super) fn look(
        &mut self,
        runs: Runs,
        id: RunId,
        wants_everything: bool,
        has_contents: bool,
    ) -> Changes {
        let (kept, running) = runs.of_id(id);
        let kept = kept.iter().map(|kept| Row { is_pinned: kept.is_pinned, ..Row::of(&kept.run) });
        let rows: Vec<_> = kept.chain(running.iter().map(Row::of)).collect();
        let mut found = Changes::default();
        let (mut told, nothing) = (Vec::new(), Told::default());
        for (nth, row) in rows.iter().enumerate() {
            let row = Row { is_timed: row.run.has_ended(), has_contents, ..*row };
            let now = Told::of(&row);
            let place = self.0.get(nth);
            // What was told of another run is nothing of this one.
            let before = place.filter(|before| before.is_of(&now));
            found.has_moved |= place.is_some() && before.is_none();
            if before != Some(&now) {
                let before = before.unwrap_or(&nothing);
                found.news.push(event("run", |object| write_change(object, nth, &row, before, &now)));
            }
            if wants_everything {
                let write = |object: &mut Object<'_>| write_change(object, nth, &row, &nothing, &now);
                found.everything.push(event("run", write));
            }
            told.push(now);
        }
        found.has_moved |= self.0.len() > told.len();
        self.0 = told;
        found
    }
}

impl Told {
    fn of(row: &Row<'_>) -> Self {
        let run = row.run;
        let (mut summary, mut rolled_up) = (Vec::new(), Vec::new());
        write::summary(&mut summary, row).close();
        run.rolled_up().iter().for_each(|calls| write::write_rolled_up(&mut rolled_up, calls));
        let line = run.lines().iter().map(|line| line.line().number()).max();
        let nodes = run.nodes().iter().map(ToldNode::of).collect();
        let left_out = (run.lost_texts(), run.left_out_lines());
        Self { ticks: run.ticks, summary, nodes, rolled_up, notes: run.notes().len(), line, left_out }
    }
}

impl Told {
    /// Whether both are of the same run, whose nodes have kept their places.
    fn is_of(&self, now: &Self) -> bool {
        let mut pairs = self.nodes.iter().zip(&now.nodes);
        self.ticks == now.ticks
            && self.nodes.len() <= now.nodes.len()
            && pairs.all(|(before, now)| (before.start, before.name) == (now.start, now.name))
    }
}

impl ToldNode {
    fn of(node: &Node) -> Self {
        Self {
            start: node.start(),
            name: node.name(),
            duration: node.duration(),
            first_item: node.first_item(),
            waiting: node.waiting(),
            items: node.items().into(),
            outcome: node.outcome(),
            attempt: node.attempt().into(),
            is_detached: node.is_detached(),
            identical_calls: node.identical_calls(),
            limits: node.passed_limits().count() + node.unverifiable_limits().count(),
            contents: node.contents().count(),
            has_error: node.error().is_some(),
        }
    }
}

/// Writes the fields of the run, and its nodes and lines that are new or changed.
fn write_change(object: &mut Object<'_>, nth: usize, row: &Row<'_>, before: &Told, now: &Told) {
    let run = row.run;
    if nth > 0 {
        object.plain("nth", Some(nth));
    }
    write::write_summary(object, row);
    let nodes = run.nodes().iter().enumerate();
    let changed = nodes.filter(|(at, _)| before.nodes.get(*at) != now.nodes.get(*at));
    object.list("nodes", changed, |out, node| write::write_node_at(out, node, row.has_contents));
    if before.rolled_up != now.rolled_up {
        object.list("rolled_up", run.rolled_up().iter(), write::write_rolled_up);
    }
    if before.notes != now.notes {
        object.list("notes", run.notes().iter(), write::write_note);
    }
    if before.left_out != now.left_out {
        object.plain("lost_texts", Some(run.lost_texts()));
        object.plain("left_out_lines", Some(run.left_out_lines()));
    }
    if let Some(since) = first_new_line(run, before.line) {
        let lines = run.lines().iter().filter(|line| line.time() >= since);
        object.list("lines", lines, write::write_own_line);
    }
}

/// The time of the earliest line that is new. Lines from then on are told, since threads write at the same time.
fn first_new_line(run: &Run, told: Option<u64>) -> Option<SystemTime> {
    let new = |line: &&Line| told.is_none_or(|told| line.line().number() > told);
    run.lines().iter().filter(new).map(Line::time).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_at_a_place_is_told_apart_though_it_has_as_many_nodes() {
        let told = Told { ticks: 7, ..Told::default() };
        assert!(told.is_of(&Told { ticks: 7, line: Some(3), ..Told::default() }));
        assert!(!told.is_of(&Told { ticks: 8, ..Told::default() }));
    }
}
