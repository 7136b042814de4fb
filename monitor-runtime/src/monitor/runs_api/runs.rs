//! Runs: what goes on now, the kept ones, one with its tree.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use ::http::StatusCode;
use axum::extract::Request;

use super::calls::{self, AgentRow};
use super::object::{Object, Table, cell, epoch_micros, one_line};
use super::query::{Query, Sort, Status};
use super::refusal::Refusal;
use super::write::{self, Row};
use super::{Answer, Api, formed, json_answer, recorded, totals};
use crate::families::Outcome;
use crate::run::{KeptRun, ParseRunIdError, Run, RunId, Runs};

/// The failures on the first screen.
const MOST_FAILURES: usize = 20;

/// The runs that go on, the oldest first, the agents, and the last failures.
pub(super) fn now(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &["limit"])?;
    let runs = recorded()?;
    let (running, more) = runs.running_at_most(query.limit);
    let agents = calls::agents(runs);
    let failures = last_failures(runs);
    let overall = runs.overall();
    let rows = || running_rows(&running, &agents);
    let write = |object: &mut Object<'_>| {
        object.list("running", rows(), |out, row| write::write_row(out, &row));
        object.plain("more", Some(more));
        object.list("agents", agents.iter(), |out, agent| agent.write(out));
        object.list("failures", failures.iter(), |out, run| write_failure(out, run));
        totals::write(object, &overall);
    };
    let text = || {
        let totals = totals::table(&overall);
        let tables = [write::table(rows()), AgentRow::table(&agents), failure_table(&failures), totals];
        let tables = super::frame::banner(api, runs).into_iter().chain(tables);
        let tables: Vec<_> = tables.map(|table| table.aligned()).collect();
        format!("{}more {more}\n", tables.join("\n"))
    };
    Ok(formed(api, runs, query.format, write, text))
}

/// Runs that go on, with the 95th percentile of their agent.
pub(super) fn running_rows<'r>(running: &'r [Run], agents: &[AgentRow]) -> impl Iterator<Item = Row<'r>> {
    let p95: HashMap<_, _> =
        agents.iter().filter_map(|agent| Some((agent.name(), agent.p95_us()?))).collect();
    let rows = running.iter().map(|run| Row { p95_us: p95.get(run.agent()).copied(), ..Row::of(run) });
    rows.collect::<Vec<_>>().into_iter()
}

/// The last kept runs that failed or were cancelled, the newest first.
pub(super) fn last_failures(runs: Runs) -> Vec<Arc<Run>> {
    let failed = |run: &Run| run.outcome().is_some_and(|outcome| outcome != Outcome::Success);
    let kept = runs.kept().0.into_iter().map(|kept| kept.run);
    kept.filter(|run| failed(run)).take(MOST_FAILURES).collect()
}

pub(super) fn write_failure(out: &mut Vec<u8>, run: &Run) {
    let mut object = Object::open(out);
    object.text("run", &run.id().to_string());
    object.text("agent", run.agent());
    object.text("status", write::status(run));
    object.maybe("error", run.root().error());
    object.plain("ended_us", Some(epoch_micros(run.started() + run.duration())));
    object.close();
}

fn failure_table(failures: &[Arc<Run>]) -> Table {
    let mut table = Table::new(&["FAILURE", "ENDED_US", "STATUS", "RUN", "ERROR"]);
    for run in failures {
        table.row([
            one_line(run.agent()),
            epoch_micros(run.started() + run.duration()).to_string(),
            write::status(run).to_owned(),
            run.id().to_string(),
            cell(run.root().error().map(one_line)),
        ]);
    }
    table
}

/// The parameters of the list.
const LIST: [&str; 11] =
    ["limit", "status", "agent", "tag", "min_ms", "min_cost", "failed_step", "pinned", "q", "sort", "cursor"];

/// The runs that match: the kept ones, the last one to end first, or those that go on.
pub(super) fn list(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &LIST)?;
    let runs = recorded()?;
    if query.status == Some(Status::Running) {
        return running(api, runs, &query);
    }
    let (kept, ended) = runs.kept();
    let after =
        query.cursor.as_deref().map(|cursor| Position::parse(cursor, query.sort, ended)).transpose()?;
    let mut found: Vec<(u64, &KeptRun)> = kept
        .iter()
        .filter(|kept| query.pinned.is_none_or(|wanted| wanted == kept.is_pinned))
        .map(|kept| (query.sort.map_or(0, |sort| figure(sort, &kept.run)), kept))
        .filter(|(figure, kept)| after.is_none_or(|after| after.is_before(*figure, kept.key)))
        .filter(|(_, kept)| query.takes(&kept.run))
        .collect();
    found.sort_by_key(|(figure, kept)| Reverse((*figure, kept.key)));
    let is_cut = found.len() > query.limit;
    found.truncate(query.limit);
    let last =
        found.last().filter(|_| is_cut).map(|(figure, kept)| Position { figure: *figure, key: kept.key });
    let rest = Rest::Kept(last.map(|last| last.show(query.sort)));
    let rows = || found.iter().map(|(_, kept)| Row { is_pinned: kept.is_pinned, ..Row::of(&kept.run) });
    Ok(rows_answer(api, runs, &query, rows, &rest))
}

/// The runs that go on and match, the oldest first, and the number of those beyond the limit.
fn running(api: &Api, runs: Runs, query: &Query) -> Answer {
    if query.cursor.is_some() {
        return Err(Refusal::bad("runs that go on have no cursor; ask for a larger limit"));
    }
    let (mut found, mut matching) = (Vec::new(), 0);
    if query.takes_all_of_agent() && query.sort.is_none() {
        runs.each_running(query.agent.as_deref(), |run| {
            found.push(run);
            found.len() >= query.limit
        });
        matching = runs.count_running(query.agent.as_deref()).max(found.len());
    } else if query.pinned != Some(true) {
        runs.each_running(query.agent.as_deref(), |run| {
            if query.takes(&run) {
                matching += 1;
                // Of sorted runs, any later one may have a place; twice as many as are asked for are held at most.
                if query.sort.is_some() || found.len() < query.limit {
                    found.push(run);
                }
                if found.len() >= 2 * query.limit {
                    keep_largest(&mut found, query);
                }
            }
            false
        });
    }
    keep_largest(&mut found, query);
    let rest = Rest::Running(matching - found.len());
    Ok(rows_answer(api, runs, query, || found.iter().map(Row::of), &rest))
}

/// Sorts the runs as asked, and keeps as many as asked.
fn keep_largest(found: &mut Vec<Run>, query: &Query) {
    if let Some(sort) = query.sort {
        found.sort_by_cached_key(|run| Reverse(figure(sort, run)));
    }
    found.truncate(query.limit);
}

/// What there is beyond the rows of an answer.
enum Rest {
    /// Kept runs behind this cursor, if there are any.
    Kept(Option<String>),
    /// So many runs that go on.
    Running(usize),
}

fn rows_answer<'r, I: Iterator<Item = Row<'r>>>(
    api: &Api,
    runs: Runs,
    query: &Query,
    rows: impl Fn() -> I,
    rest: &Rest,
) -> ::http::Response<bytes::Bytes> {
    let write = |object: &mut Object<'_>| {
        object.list("runs", rows(), |out, row| write::write_row(out, &row));
        match rest {
            // Digits and a point: a number for JSON, unless runs are sorted.
            Rest::Kept(Some(cursor)) if query.sort.is_some() => object.text("cursor", cursor),
            Rest::Kept(cursor) => object.plain("cursor", cursor.as_deref()),
            Rest::Running(more) => {
                object.plain("cursor", None::<u8>);
                object.plain("more", Some(more));
            }
        }
    };
    let text = || {
        let rest = match rest {
            Rest::Kept(cursor) => cursor.as_ref().map(|cursor| format!("cursor {cursor}\n")),
            Rest::Running(more) => Some(format!("more {more}\n")),
        };
        write::table(rows()).aligned() + &rest.unwrap_or_default()
    };
    formed(api, runs, query.format, write, text)
}

/// The figure that runs are sorted by. A figure that is not known is 0.
fn figure(sort: Sort, run: &Run) -> u64 {
    let whole = |micros: u128| u64::try_from(micros).unwrap_or(u64::MAX);
    match sort {
        Sort::Started => whole(epoch_micros(run.started())),
        Sort::Duration => whole(run.duration().as_micros()),
        Sort::Steps => write::steps(run),
        Sort::FailedSteps => write::failed_steps(run),
        Sort::Retries => write::retries(run),
        Sort::Tokens => write::tokens_of(run).unwrap_or(0),
        Sort::Cost => write::cost_of(run).unwrap_or(0),
    }
}

/// The place of a run in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    /// The figure that the list is sorted by; 0 if it is not.
    figure: u64,
    key: u64,
}

/// The bits of a cursor for the key of a run. Those above have a mark of the process. Together they fit into the whole
/// numbers of JavaScript.
const KEY_BITS: u32 = 41;

impl Position {
    /// Whether a run with this figure and key comes after this place.
    fn is_before(self, figure: u64, key: u64) -> bool {
        (figure, key) < (self.figure, self.key)
    }

    /// The cursor that continues after this place. It holds as long as the process lives, also if the run is evicted.
    fn show(self, sort: Option<Sort>) -> String {
        let key = mark() << KEY_BITS | self.key & ((1 << KEY_BITS) - 1);
        if sort.is_some() { format!("{}.{key}", self.figure) } else { key.to_string() }
    }

    fn parse(cursor: &str, sort: Option<Sort>, ended: u64) -> Result<Self, Refusal> {
        let bad = || {
            let shown: String = cursor.chars().take(64).collect();
            Refusal::bad(&format!("`cursor={shown}`: expected the `cursor` of an earlier answer"))
        };
        let (figure, key) = match (cursor.split_once('.'), sort) {
            (Some((figure, key)), Some(_)) => (figure.parse().map_err(|_| bad())?, key),
            (None, None) => (0, cursor),
            _ => return Err(bad()),
        };
        let marked: u64 = key.parse().map_err(|_| bad())?;
        let key = marked & ((1 << KEY_BITS) - 1);
        if marked >> KEY_BITS != mark() || key >= ended {
            return Err(Refusal::bad("the cursor is of another process; begin without one"));
        }
        Ok(Self { figure, key })
    }
}

/// Twelve random bits of this process, not all of them 0.
fn mark() -> u64 {
    static MARK: LazyLock<u64> =
        LazyLock::new(|| RandomState::new().hash_one(std::process::id()) % 4_095 + 1);
    *MARK
}

/// The trees of one id.
pub(super) fn one(api: &Api, id: &str, request: &Request) -> Answer {
    let query = Query::parse(request, &["lines"])?;
    let id = parse_id(id)?;
    let runs = recorded()?;
    let (kept, running) = runs.of_id(id);
    let kept_rows = kept.iter().map(|kept| Row { is_pinned: kept.is_pinned, ..Row::of(&kept.run) });
    let mut rows: Vec<_> = kept_rows.chain(running.iter().map(Row::of)).collect();
    for row in &mut rows {
        row.has_contents = api.shows_content();
    }
    if rows.is_empty() {
        return Err(not_kept(id));
    }
    let write = |object: &mut Object<'_>| object.list("runs", rows.iter(), write::write_tree);
    Ok(formed(api, runs, query.format, write, || write::trees(&rows, query.lines)))
}

fn parse_id(id: &str) -> Result<RunId, Refusal> {
    id.parse().map_err(|error: ParseRunIdError| Refusal::bad(&error.to_string()))
}

fn not_kept(id: RunId) -> Refusal {
    let text =
        format!("run {id} is not kept; of each agent, the newest, failed, slow, dear and pinned runs are");
    Refusal::new(StatusCode::NOT_FOUND, &text)
}

/// Keeps the runs of an id, or undoes that.
pub(super) fn pin(id: &str, is_pinned: bool) -> Answer {
    let id = parse_id(id)?;
    let runs = recorded()?;
    let is_kept = if is_pinned { runs.pin(id) } else { runs.unpin(id) || !runs.of_id(id).0.is_empty() };
    if !is_kept {
        return Err(not_kept(id));
    }
    let mut body = Vec::new();
    let mut object = Object::open(&mut body);
    object.plain("pinned", Some(is_pinned));
    object.close();
    Ok(json_answer(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(cursor: &str, sort: Option<Sort>, ended: u64) -> bool {
        Position::parse(cursor, sort, ended).is_err()
    }

    #[test]
    fn a_cursor_is_read_back_and_another_process_is_told() {
        let place = Position { figure: 7, key: 41 };
        let sorted = place.show(Some(Sort::Duration));
        assert_eq!(Position::parse(&sorted, Some(Sort::Duration), 42).unwrap(), place);
        let plain = place.show(None);
        assert!(plain.parse::<u64>().unwrap() < 1 << 53);
        assert_eq!(Position::parse(&plain, None, 42).unwrap(), Position { figure: 0, key: 41 });
        for (cursor, sort, ended) in [
            (&*plain, None, 41),
            (&*plain, Some(Sort::Steps), 42),
            (&*sorted, None, 42),
            ("41", None, 42),
            ("", None, 42),
            ("-1", None, 42),
            ("99999999999999999999", None, 42),
        ] {
            assert!(refused(cursor, sort, ended), "{cursor}");
        }
    }

    #[test]
    fn a_list_continues_behind_its_last_row() {
        let after = Position { figure: 7, key: 41 };
        assert!(after.is_before(7, 40) && after.is_before(6, 99));
        assert!(!after.is_before(7, 41) && !after.is_before(8, 1));
    }
}
