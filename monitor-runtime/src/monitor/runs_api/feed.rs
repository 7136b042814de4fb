//! What the pages that are open are told: one task for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval};

use super::clients::{Client, Feeding, Topic};
use super::events::{bye, event};
use super::followed::Followed;
use super::object::Object;
use super::write::{self, Row};
use super::{Api, calls, frame, plots, runs as lists};
use crate::run::{LogLine, Point, RunId, Runs};

/// How often runs that somebody watches are looked at.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// How often everything else is: at every tenth look. A clock of its own would miss a look by microseconds, and then tell no
/// point of that second.
pub(super) const TICK: Duration = Duration::from_secs(1);
const LOOKS_A_TICK: u8 = 10;

/// The runs that go on, of which a page shows rows.
const MOST_RUNNING: usize = 100;

/// The bytes of changed agents in a tick, but for the last of them. The others come with the next ticks.
const AGENT_BYTES: usize = 20 << 10;

/// The log lines of an event.
const MOST_LINES: usize = 200;

/// Feeds the clients until the last has left.
pub(super) async fn feed(api: Api, mut feeding: Feeding, runs: Runs) {
    let mut feed = Feed::new(runs);
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let open = feeding.clients();
        if open.is_empty() {
            return;
        }
        if api.endpoints.engine.is_draining() {
            let bye = bye();
            for client in &open {
                client.end(&bye);
            }
        } else {
            feed.look(&api, &open);
        }
    }
}

/// What was told last.
struct Feed {
    runs: Runs,
    pace: Pace,
    rows: Rows,
    /// The agent that was told last.
    agent: String,
    /// The runs that had ended.
    ended: u64,
    /// The number of the last log line.
    line: u64,
    /// When a check ran last.
    checked: Option<SystemTime>,
    followed: BTreeMap<RunId, Followed>,
}

/// Counts looks.
#[derive(Default)]
struct Pace(u8);

impl Pace {
    /// Whether this look is a tick, as the first is.
    fn is_due(&mut self) -> bool {
        let is_due = self.0 == 0;
        self.0 = (self.0 + 1) % LOOKS_A_TICK;
        is_due
    }
}

/// The rows of the first screen, as JSON.
#[derive(Default)]
struct Rows {
    running: BTreeMap<RunId, Vec<u8>>,
    more: usize,
    agents: BTreeMap<String, Vec<u8>>,
    /// The newest first.
    failures: Vec<(RunId, Vec<u8>)>,
    point: Option<Point>,
}

impl Feed {
    fn new(runs: Runs) -> Self {
        let line = runs.log_tail(0, 1, |_| true).last().map_or(0, |line| line.number());
        let (_, ended) = runs.kept();
        Self {
            runs,
            pace: Pace::default(),
            rows: Rows::default(),
            agent: String::new(),
            ended,
            line,
            checked: None,
            followed: BTreeMap::new(),
        }
    }

    fn look(&mut self, api: &Api, open: &[Arc<Client>]) {
        let (behind, others): (Vec<_>, Vec<_>) = open.iter().partition(|client| client.catch_up());
        let is_due = self.pace.is_due();
        self.tell_now(api, &behind, &others, is_due);
        self.tell_runs(api, &behind, &others);
        self.tell_lines(&behind, &others);
        // Those behind begin here, and have read the runs before.
        if is_due || behind.iter().any(|client| client.follows(Topic::Runs)) {
            self.tell_ended(&others);
        }
        if is_due {
            self.tell_health(api, open);
        }
    }

    /// Tells the first screen: everything to those behind, once a second the changes to the others.
    fn tell_now(&mut self, api: &Api, behind: &[&Arc<Client>], others: &[&Arc<Client>], is_due: bool) {
        let follow = |clients: &[&Arc<Client>]| clients.iter().any(|client| client.follows(Topic::Now));
        if follow(behind) || is_due && follow(others) {
            let rows = Rows::read(self.runs);
            let everything = || {
                self.tick(api, |object| {
                    // The page drops rows that it has from before.
                    object.plain("full", Some(true));
                    rows.write(object, &Rows::default(), &rows.agents, self.runs);
                })
            };
            send(behind, |client| client.follows(Topic::Now), everything);
            if follow(others) {
                if follow(behind) {
                    self.rows.forget_what_differs(&rows);
                }
                if is_due {
                    self.tell_changes(api, rows, others);
                }
            } else {
                // All have been told everything.
                self.rows = rows;
            }
        }
        let frame = || self.tick(api, |_| {});
        send(behind, |client| !client.follows(Topic::Now), frame);
        if is_due {
            send(others, |client| !client.follows(Topic::Now), frame);
        }
    }

    /// Tells the rows that differ from those told before.
    fn tell_changes(&mut self, api: &Api, mut rows: Rows, others: &[&Arc<Client>]) {
        let agents = rows.changed_agents(&self.rows, &mut self.agent);
        let changes = || self.tick(api, |object| rows.write(object, &self.rows, &agents, self.runs));
        send(others, |client| client.follows(Topic::Now), changes);
        rows.agents = std::mem::take(&mut self.rows.agents);
        rows.agents.extend(agents);
        self.rows = rows;
    }

    fn tick(&self, api: &Api, write: impl FnOnce(&mut Object<'_>)) -> Bytes {
        event("tick", |object| {
            frame::write(object, api, self.runs);
            write(object);
        })
    }

    /// Tells the runs that somebody watches.
    fn tell_runs(&mut self, api: &Api, behind: &[&Arc<Client>], others: &[&Arc<Client>]) {
        let ids: BTreeSet<_> = behind.iter().chain(others).filter_map(|client| client.topics.run).collect();
        self.followed.retain(|id, _| ids.contains(id));
        for id in ids {
            let watches = |client: &Client| client.topics.run == Some(id);
            let wants_everything = behind.iter().any(|client| watches(client));
            let found = self.followed.entry(id).or_default().look(
                self.runs,
                id,
                wants_everything,
                api.shows_content(),
            );
            if found.has_moved {
                send(others, watches, || event("resync", |_| {}));
            }
            found.everything.iter().for_each(|told| send(behind, watches, || told.clone()));
            found.news.iter().for_each(|told| send(others, watches, || told.clone()));
        }
    }

    /// Tells log lines. Those behind get the last ones again, and know them by their numbers.
    fn tell_lines(&mut self, behind: &[&Arc<Client>], others: &[&Arc<Client>]) {
        if !behind.iter().chain(others).any(|client| client.follows(Topic::Logs)) {
            return;
        }
        let follows = |client: &Client| client.follows(Topic::Logs);
        let lines = |after| self.runs.log_tail(after, MOST_LINES, |_| true);
        send(behind, follows, || log(&lines(0), 0));
        let new = lines(self.line);
        if let (Some(first), Some(last)) = (new.first(), new.last()) {
            let skipped = first.number().saturating_sub(self.line + 1);
            self.line = last.number();
            send(others, follows, || log(&new, skipped));
        }
    }

    /// Tells the runs that have ended since the last call.
    fn tell_ended(&mut self, others: &[&Arc<Client>]) {
        if !others.iter().any(|client| client.follows(Topic::Runs)) {
            self.ended = self.runs.figures().ended;
            return;
        }
        let (kept, ended) = self.runs.kept();
        let new: Vec<_> = kept.iter().filter(|kept| kept.key >= self.ended).take(MOST_RUNNING).collect();
        self.ended = ended;
        if new.is_empty() {
            return;
        }
        let rows = || new.iter().map(|kept| Row { is_pinned: kept.is_pinned, ..Row::of(&kept.run) });
        let told =
            || event("runs", |object| object.list("runs", rows(), |out, row| write::write_row(out, &row)));
        send(others, |client| client.follows(Topic::Runs), told);
    }

    /// Tells that a check ran.
    fn tell_health(&mut self, api: &Api, open: &[Arc<Client>]) {
        let open: Vec<_> = open.iter().collect();
        if !open.iter().any(|client| client.follows(Topic::Health)) {
            return;
        }
        let checked = api.endpoints.engine.past().iter().filter_map(|past| past.read).max();
        if std::mem::replace(&mut self.checked, checked) != checked {
            send(&open, |client| client.follows(Topic::Health), || event("health", |_| {}));
        }
    }
}

impl Rows {
    fn read(runs: Runs) -> Self {
        let (running, more) = runs.running_at_most(MOST_RUNNING);
        let agents = calls::agents(runs);
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out
        };
        let rows = lists::running_rows(&running, &agents).map(|row| {
            let row = Row { is_timed: false, ..row };
            (row.run.id(), written(&|out| write::write_row(out, &row)))
        });
        let failures = lists::last_failures(runs);
        let failures = failures.iter().map(|run| (run.id(), written(&|out| lists::write_failure(out, run))));
        Self {
            running: rows.collect(),
            more,
            failures: failures.collect(),
            agents: agents
                .iter()
                .map(|row| (row.name().to_owned(), written(&|out| row.write(out))))
                .collect(),
            point: runs.points(60).values.last().copied(),
        }
    }

    /// Forgets the rows that only those behind have been told as they are now. Such a row is told to all again, also if it is
    /// as before by then, and such a run as ended.
    fn forget_what_differs(&mut self, now: &Self) {
        self.agents.retain(|name, row| now.agents.get(name) == Some(row));
        for (id, row) in &now.running {
            if self.running.get(id) != Some(row) {
                self.running.insert(*id, Vec::new());
            }
        }
    }

    /// The agents that differ from those before, as many as a tick has room for. They begin after the one that was told last,
    /// so that each has its turn.
    fn changed_agents(&self, before: &Self, last: &mut String) -> BTreeMap<String, Vec<u8>> {
        let from = |bounds: (Bound<&str>, Bound<&str>)| self.agents.range::<str, _>(bounds);
        let agents = from((Bound::Excluded(last), Bound::Unbounded))
            .chain(from((Bound::Unbounded, Bound::Included(last))));
        let mut room = Some(AGENT_BYTES);
        let changed: Vec<_> = agents
            .filter(|(name, row)| before.agents.get(*name) != Some(*row))
            .take_while(|(_, row)| {
                let has_room = room.is_some();
                room = room.and_then(|room| room.checked_sub(row.len()));
                has_room
            })
            .map(|(name, row)| (name.clone(), row.clone()))
            .collect();
        if let Some((name, _)) = changed.last() {
            last.clone_from(name);
        }
        changed.into_iter().collect()
    }

    /// Writes these agents, and the other rows that differ from those before.
    fn write(&self, object: &mut Object<'_>, before: &Self, agents: &BTreeMap<String, Vec<u8>>, runs: Runs) {
        let as_is = |out: &mut Vec<u8>, row: &Vec<u8>| out.extend_from_slice(row);
        let running = self.running.iter().filter(|(id, row)| before.running.get(id) != Some(*row));
        object.list("running", running.map(|(_, row)| row), as_is);
        let ended = before.running.keys().filter(|id| !self.running.contains_key(id));
        object.list("ended", ended, |out, id| write_end(out, *id, runs));
        object.plain("more", Some(self.more));
        object.list("agents", agents.values(), as_is);
        let failures = self.failures.iter().filter(|failure| !before.failures.contains(failure));
        object.list("failures", failures.map(|(_, row)| row), as_is);
        if let Some(point) = &self.point {
            let mut points = Object::open(object.key("points"));
            plots::write_point(&mut points, point);
            points.close();
        }
    }
}

/// Writes how a run ended; one that is not kept ended in an unknown way.
fn write_end(out: &mut Vec<u8>, id: RunId, runs: Runs) {
    let (kept, _) = runs.of_id(id);
    let last = kept.last().map(|kept| &*kept.run);
    let mut object = Object::open(out);
    object.text("id", &id.to_string());
    object.text("status", last.map_or("unknown", write::status));
    object.plain("duration_us", last.map(|run| run.duration().as_micros()));
    object.close();
}

/// Tells lines, and the number of those before them that an event has no room for.
fn log(lines: &[Arc<LogLine>], skipped: u64) -> Bytes {
    event("log", |object| {
        object.known("skipped", Some(skipped).filter(|skipped| *skipped > 0));
        object.list("lines", lines.iter(), |out, line| write::write_line(out, line));
    })
}

/// Sends an event, which is made if there is somebody to take it.
fn send(clients: &[&Arc<Client>], takes: impl Fn(&Client) -> bool, make: impl FnOnce() -> Bytes) {
    let mut those = clients.iter().filter(|client| takes(client)).peekable();
    if those.peek().is_some() {
        let event = make();
        those.for_each(|client| client.send(&event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_look_is_a_tick_from_the_first_on() {
        let mut pace = Pace::default();
        let ticks: Vec<_> = (0..100).filter(|_| pace.is_due()).collect();
        assert_eq!(ticks, (0..100).step_by(10).collect::<Vec<_>>());
        assert_eq!(LOOK * u32::from(LOOKS_A_TICK), TICK);
    }

    #[test]
    fn a_row_that_only_a_late_client_has_seen_is_told_to_it_again() {
        let rows = |row: &[u8]| Rows {
            agents: [("agent".to_owned(), row.to_vec())].into(),
            running: [(RunId::from_bytes([7; 16]), row.to_vec())].into(),
            ..Rows::default()
        };
        let mut told = rows(b"1");
        told.forget_what_differs(&rows(b"2"));
        let now = rows(b"1");
        assert_eq!(now.changed_agents(&told, &mut String::new()), now.agents);
        assert_ne!(told.running, now.running);
        told.forget_what_differs(&Rows::default());
        assert_eq!(told.running.len(), 1, "it is told as ended");
    }

    #[test]
    fn a_tick_has_room_for_some_agents_and_each_has_its_turn() {
        const AGENTS: usize = 200;
        const ROW: usize = 600;
        let (mut told, mut last) = (Rows::default(), String::new());
        let mut turns = BTreeMap::<String, usize>::new();
        let a_tick = AGENT_BYTES / ROW + 1;
        // All change with each tick.
        for tick in 0..3 * AGENTS.div_ceil(a_tick) {
            let row = vec![u8::try_from(tick).unwrap(); ROW];
            let agents = (0..AGENTS).map(|nth| (format!("agent-{nth}"), row.clone())).collect();
            let now = Rows { agents, ..Rows::default() };
            let changed = now.changed_agents(&told, &mut last);
            assert_eq!(changed.len(), a_tick);
            for name in changed.keys() {
                *turns.entry(name.clone()).or_default() += 1;
            }
            told.agents.extend(changed);
        }
        assert!(turns.len() == AGENTS && turns.values().all(|turns| *turns >= 3), "{turns:?}");
        let now = Rows { agents: told.agents.clone(), ..Rows::default() };
        assert!(now.changed_agents(&told, &mut last).is_empty());
    }
}
