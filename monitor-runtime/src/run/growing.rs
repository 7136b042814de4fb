//! A run that goes on: its events are put into a tree as they come.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use super::budget::Limits;
use super::id::RunId;
use super::lines::{Line, RunLines};
use super::live;
use super::remark::Remark;
use super::reply::{Reply, Sums};
use super::said::{MOST_NOTES, Marks, Note, Tag};
use super::tally::Tally;
use super::tree::{MOST_NODES, Node, RolledUp, Run};
use crate::call::call_id::CallId;
use crate::cells::clock;
use crate::families::calls::CallKind;
use crate::families::{Outcome, call_series::CallSeries};

/// The maximum number of groups of summed calls under different nodes. Further groups are kept under the root, where there
/// are at most as many as the families have series.
const MOST_GROUPS: usize = 1_000;

/// A run that goes on, or whose last events have not been read.
#[derive(Debug)]
pub(super) struct GrowingRun {
    number: NonZeroU32,
    run: Run,
    /// The place of each call.
    places: HashMap<u32, Place, RandomState>,
    /// The place of each group among the summed calls, by parent, kind, and address of the name.
    groups: HashMap<(u32, u8, usize), u32, RandomState>,
    /// Summed calls that ended since the last look, and since the one before it.
    retired: [Vec<u32>; 2],
    /// Calls whose begin has been read and whose end has not.
    open: u64,
    /// Bytes of texts, marks and replies.
    text_bytes: usize,
    lines: RunLines,
    /// The slot of the run is free, so no call joins. What was pushed before that is read by the next look.
    is_closing: bool,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Node(u32),
    /// Summed with others of its name. Its children are those of the nearest node around it.
    Group {
        group: u32,
        node: u32,
    },
}

/// A call that begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    pub(super) id: CallId,
    pub(super) parent: CallId,
    pub(super) ticks: u64,
    pub(super) kind: CallKind,
    pub(super) series: &'static CallSeries,
}

/// The room that is left for runs that go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// Calls are summed by name instead of kept as nodes.
    Sums,
    /// Neither calls nor texts are kept. What models have used is, so that sums stay exact.
    None,
}

/// The end of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) nanos: u64,
    pub(super) waited: u64,
    pub(super) items: u32,
    pub(super) outcome: Outcome,
}

/// A place in a list that is always shorter than 2^32.
fn place_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl GrowingRun {
    /// Begins a tree with its outermost call.
    pub(super) fn begin(number: NonZeroU32, begin: &Begin) -> Self {
        let ago = Duration::from_nanos(clock::nanos_since(begin.ticks));
        let run = Run {
            id: RunId::of_run(number),
            started: SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH),
            ticks: begin.ticks,
            elapsed: Duration::ZERO,
            nodes: Vec::new(),
            rolled_up: Vec::new(),
            lines: Vec::new(),
            left_out_lines: 0,
            tags: Vec::new(),
            notes: Vec::new(),
            lost_texts: 0,
            passed: Limits::default(),
            unverifiable: Limits::default(),
            has_ended: false,
            is_incomplete: false,
        };
        let mut growing = Self {
            number,
            run,
            places: HashMap::default(),
            groups: HashMap::default(),
            retired: Default::default(),
            open: 0,
            text_bytes: 0,
            lines: RunLines::default(),
            is_closing: false,
        };
        growing.push_node(None, begin);
        growing
    }

    /// Whether the call is known, so that events of it and of its children find their place.
    pub(super) fn knows(&self, call: CallId) -> bool {
        self.places.contains_key(&call.number())
    }

    /// Adds a call under its parent, or under the root if the parent is unknown.
    pub(super) fn add(&mut self, begin: &Begin, room: Room) {
        let parent = match self.places.get(&begin.parent.number()) {
            Some(Place::Node(node) | Place::Group { node, .. }) => Some(*node),
            None => None,
        };
        // Summed calls are forgotten after their end, although a task that they spawned may go on.
        self.run.is_incomplete |= parent.is_none() && self.groups.is_empty();
        let parent = parent.unwrap_or(0);
        match room {
            Room::None => self.run.is_incomplete = true,
            Room::Enough if self.run.nodes.len() < MOST_NODES => self.push_node(Some(parent), begin),
            _ => self.add_to_group(parent, begin),
        }
    }

    fn push_node(&mut self, parent: Option<u32>, begin: &Begin) {
        let place = place_of(self.run.nodes.len());
        let [first, second] = begin.series.labels.first_values();
        let (operation, name) = match begin.kind {
            CallKind::Agent | CallKind::Skill => ("", first),
            CallKind::Query | CallKind::Model => (first, second),
        };
        self.run.nodes.push(Node {
            parent,
            kind: begin.kind,
            name,
            operation,
            start: self.since_start(begin.ticks),
            duration: None,
            waiting: Duration::ZERO,
            first_item: None,
            items: 0,
            outcome: None,
            error: None,
            reply: None,
            attempt: 1,
            marks: None,
            is_judged: false,
            is_detached: false,
            is_withdrawn: false,
        });
        self.places.insert(begin.id.number(), Place::Node(place));
        self.open += 1;
    }

    fn add_to_group(&mut self, node: u32, begin: &Begin) {
        let [first, second] = begin.series.labels.first_values();
        let (operation, name) =
            if begin.kind == CallKind::Model { (first, second) } else { ("", begin.series.id()) };
        let key = |parent| (parent, begin.kind as u8, name.as_ptr().addr());
        let has_room = self.groups.len() < MOST_GROUPS || self.groups.contains_key(&key(node));
        let parent = if has_room { node } else { 0 };
        let groups = &mut self.run.rolled_up;
        let group = *self.groups.entry(key(parent)).or_insert_with(|| {
            groups.push(RolledUp::new(parent, begin.kind, operation, name));
            place_of(groups.len() - 1)
        });
        self.run.rolled_up[group as usize].calls += 1;
        self.places.insert(begin.id.number(), Place::Group { group, node });
        self.open += 1;
    }

    fn since_start(&self, ticks: u64) -> Duration {
        Duration::from_nanos(clock::clock().delta_as_nanos(self.run.ticks, ticks))
    }

    /// Adds the end of a call.
    pub(super) fn end(&mut self, call: CallId, end: &End) {
        let duration = Duration::from_nanos(end.nanos);
        match self.places.get(&call.number()) {
            Some(Place::Node(place)) => {
                let node = &mut self.run.nodes[*place as usize];
                node.duration = Some(duration);
                node.waiting =
                    Duration::from_nanos(clock::clock().delta_as_nanos(0, end.waited)).min(duration);
                node.items = end.items;
                node.outcome = Some(end.outcome);
                self.run.elapsed = self.run.elapsed.max(node.start + duration);
            }
            Some(Place::Group { group, .. }) => {
                let group = &mut self.run.rolled_up[*group as usize];
                group.ended += 1;
                group.failures += u64::from(end.outcome != Outcome::Success);
                group.total += duration;
                group.longest = group.longest.max(duration);
                self.retired[0].push(call.number());
            }
            None => return,
        }
        self.open = self.open.saturating_sub(1);
    }

    /// Takes back a call. Its place stays known to the calls inside it.
    pub(super) fn withdraw(&mut self, call: CallId) {
        match self.places.get(&call.number()) {
            Some(Place::Node(place)) => self.run.nodes[*place as usize].is_withdrawn = true,
            Some(Place::Group { group, .. }) => {
                self.run.rolled_up[*group as usize].calls -= 1;
                self.retired[0].push(call.number());
            }
            None => return,
        }
        self.open = self.open.saturating_sub(1);
    }

    /// Adds the time to the first item of a stream.
    pub(super) fn first_item(&mut self, call: CallId, nanos: u64) {
        if let Some(node) = self.node_of(call) {
            node.first_item = Some(Duration::from_nanos(nanos));
        }
    }

    /// Notes that the value of a call was judged to be an error.
    pub(super) fn judge(&mut self, call: CallId) {
        if let Some(node) = self.node_of(call) {
            node.is_judged = true;
        }
    }

    /// Adds a remark about a call, or counts its text as lost if there is no room. Returns what it is counted as.
    pub(super) fn remark(&mut self, call: CallId, remark: Remark, room: Room) -> Option<Tally> {
        let remark = match remark {
            // A further attempt is counted without its reason.
            Remark::Retry(reason) if room == Room::None && !reason.is_empty() => {
                self.run.lost_texts += 1;
                Remark::Retry(Box::default())
            }
            Remark::Error(_) | Remark::Tag { .. } | Remark::Note { .. } if room == Room::None => {
                Remark::LostText
            }
            Remark::Content(_) if room != Room::Enough => Remark::LostText,
            remark => remark,
        };
        match remark {
            Remark::Error(text) => self.fail(call, text),
            Remark::Reply(reply) => self.reply(call, reply),
            Remark::Tag { key, value } => self.tag(key, value),
            Remark::Note { ticks, text } => self.note(call, ticks, text),
            Remark::Content(content) => self.mark(call, |marks| marks.record(content)),
            Remark::LostText => self.run.lost_texts += 1,
            Remark::Retry(reason) => return self.retry(call, reason),
            Remark::Repeat(calls) => self.mark(call, |marks| marks.repeat = calls),
            Remark::Passed(limit) => {
                // The call may be summed with others, but the run has passed its limit all the same.
                self.run.passed.insert(limit);
                self.mark(call, |marks| _ = marks.passed.insert(limit));
            }
            Remark::Unverifiable(limit) => {
                self.run.unverifiable.insert(limit);
                self.mark(call, |marks| _ = marks.unverifiable.insert(limit));
            }
        }
        None
    }

    /// Adds what a model call has reported.
    fn reply(&mut self, call: CallId, reply: Box<Reply>) {
        match self.places.get(&call.number()) {
            Some(Place::Node(place)) => {
                self.text_bytes += reply.bytes();
                self.run.nodes[*place as usize].reply = Some(reply);
            }
            Some(Place::Group { group, .. }) => {
                let sums = &mut self.run.rolled_up[*group as usize].sums;
                if sums.is_none() {
                    self.text_bytes += size_of::<Sums>();
                }
                sums.get_or_insert_default().add(&reply);
            }
            None => {}
        }
    }

    /// Adds the error of a call. A stream may have several; the last one stays.
    fn fail(&mut self, call: CallId, error: Box<str>) {
        let bytes = error.len();
        if let Some(node) = self.node_of(call) {
            let before = node.error.replace(error).map_or(0, |before| before.len());
            self.text_bytes = self.text_bytes + bytes - before;
        }
    }

    fn mark(&mut self, call: CallId, change: impl FnOnce(&mut Marks)) {
        let Some(node) = self.node_of(call) else { return };
        let before = node.marks.as_ref().map_or(0, |marks| marks.bytes());
        let marks = node.marks.get_or_insert_default();
        change(marks);
        let bytes = marks.bytes();
        self.text_bytes = self.text_bytes + bytes - before;
    }

    fn tag(&mut self, key: &'static str, value: Box<str>) {
        self.text_bytes += value.len();
        match self.run.tags.iter_mut().find(|tag| tag.key == key) {
            Some(tag) => {
                self.text_bytes -= tag.value.len();
                tag.value = value;
            }
            None => self.run.tags.push(Tag { key, value }),
        }
    }

    fn note(&mut self, call: CallId, ticks: u64, text: Box<str>) {
        let node = match self.places.get(&call.number()) {
            Some(Place::Node(node) | Place::Group { node, .. }) => *node,
            None => return,
        };
        if self.run.notes.len() < MOST_NOTES {
            self.text_bytes += text.len();
            self.run.notes.push(Note { node, at: self.since_start(ticks), text });
        } else {
            self.run.lost_texts += 1;
        }
    }

    /// Adds a further attempt that the user has told of. Returns what it is counted as.
    fn retry(&mut self, call: CallId, reason: Box<str>) -> Option<Tally> {
        let (kind, labels) = match self.places.get(&call.number()) {
            Some(Place::Node(node)) => {
                let Node { kind, name, operation, .. } = self.run.nodes[*node as usize];
                (kind, [operation, name])
            }
            Some(Place::Group { group, .. }) => {
                let RolledUp { kind, operation, name, .. } = self.run.rolled_up[*group as usize];
                (kind, [operation, name])
            }
            None => return None,
        };
        self.mark(call, |marks| {
            marks.retries = marks.retries.saturating_add(1);
            marks.reason = Some(reason);
        });
        match kind {
            CallKind::Skill => Some(Tally::SkillRetry(labels[1])),
            CallKind::Model => Some(Tally::ModelRetry(labels)),
            _ => None,
        }
    }

    /// The number of calls around the code of a call, its own included.
    pub(super) fn depth(&self, call: CallId) -> Option<usize> {
        let (mut at, mut depth) = match self.places.get(&call.number())? {
            Place::Node(node) => (*node as usize, 1),
            Place::Group { node, .. } => (*node as usize, 2),
        };
        while let Some(parent) = self.run.nodes.get(at)?.parent() {
            (at, depth) = (parent, depth + 1);
        }
        Some(depth)
    }

    /// Adds a log line, if there is room.
    pub(super) fn add_line(&mut self, line: Line, room: Room) {
        match room {
            Room::Enough => self.lines.add(line),
            Room::Sums | Room::None => self.lines.refuse(),
        }
    }

    /// The place of the node of a call. `None` for one that is summed with others.
    pub(super) fn node_at(&self, call: CallId) -> Option<u32> {
        match self.places.get(&call.number())? {
            Place::Node(place) => Some(*place),
            Place::Group { .. } => None,
        }
    }

    fn node_of(&mut self, call: CallId) -> Option<&mut Node> {
        match self.places.get(&call.number())? {
            Place::Node(place) => self.run.nodes.get_mut(*place as usize),
            Place::Group { .. } => None,
        }
    }

    /// Notes that everything pushed before this look has been read. Returns whether the run is over.
    pub(super) fn look(&mut self, tallies: &mut Vec<Tally>) -> bool {
        // A call that ended just before a look may have begun others, whose begin only the next look reads.
        let [new, old] = &mut self.retired;
        for call in old.drain(..) {
            self.places.remove(&call);
        }
        std::mem::swap(new, old);
        if self.is_closing {
            return true;
        }
        if let Some(freed) = live::free(self.number) {
            self.is_closing = true;
            self.run.is_incomplete |= freed.is_lossy;
            tallies.push(Tally::Ended(freed));
        }
        false
    }

    /// Whether no further call can join the run.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// The bytes that the run takes.
    pub(super) fn bytes(&self) -> usize {
        // A hash map has a byte for each entry besides the entry.
        let [new, old] = &self.retired;
        size_of::<Self>()
            + self.run.nodes.capacity() * size_of::<Node>()
            + self.run.rolled_up.capacity() * size_of::<RolledUp>()
            + self.text_bytes
            + self.lines.bytes()
            + self.run.tags.capacity() * size_of::<Tag>()
            + self.run.notes.capacity() * size_of::<Note>()
            + self.places.capacity() * (size_of::<(u32, Place)>() + 1)
            + self.groups.capacity() * (size_of::<((u32, u8, usize), u32)>() + 1)
            + (new.capacity() + old.capacity()) * size_of::<u32>()
    }

    /// The start in ticks, by which runs that go on are ordered.
    pub(super) fn ticks(&self) -> u64 {
        self.run.ticks
    }

    #[cfg(feature = "http")]
    pub(super) fn agent(&self) -> &'static str {
        self.run.agent()
    }

    pub(super) fn id(&self) -> RunId {
        self.run.id
    }

    /// The run as it is now.
    pub(super) fn snapshot(&self) -> Run {
        let mut run = self.run.clone();
        (run.lines, run.left_out_lines) = self.lines.clone().into_parts();
        run.elapsed = self.since_start(clock::now());
        run.is_incomplete |= live::find(self.number).is_some_and(live::LiveRun::is_lossy);
        run.derive();
        run
    }

    /// The run, which is over.
    pub(super) fn finish(mut self, tallies: &mut Vec<Tally>) -> Run {
        self.run.has_ended = true;
        self.run.is_incomplete |= self.open > 0;
        (self.run.lines, self.run.left_out_lines) = self.lines.into_parts();
        self.run.tags.shrink_to_fit();
        self.run.notes.shrink_to_fit();
        self.run.derive();
        self.run.nodes.shrink_to_fit();
        self.run.rolled_up.shrink_to_fit();
        // Further attempts that the user has told of were counted then.
        let further =
            self.run.nodes.iter().filter(|node| node.kind == CallKind::Skill && node.follows_failure());
        tallies.extend(further.map(|node| Tally::SkillRetry(node.name)));
        self.run
    }
}
