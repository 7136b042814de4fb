//! A run: the outermost agent call and every tracked call inside it, as a tree.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;

use super::budget::{BudgetLimit, Limits};
use super::id::RunId;
use super::lines::{self, Line};
use super::reply::{Reply, Sums};
use super::said::{self, Marks, Note, Tag};
use super::text::ALLOCATION_BYTES;
use crate::families::{CallKind, Outcome};
use crate::usage::{Cost, CostSum, Usage, UsageSum};

/// The maximum number of nodes of a run. Further calls are summed by name.
pub(crate) const MOST_NODES: usize = 2_000;

/// An agent call outside of any agent call, and every tracked call inside it.
///
/// It is a snapshot and does not change.
/// A call on another thread or task belongs to the run if the context was carried there.
/// [`context`](crate::context) has the functions for that.
/// The parent of each node is a node of the same run.
///
/// Its `Display` is the tree as text without times, which a test can compare. `{:#}` adds the durations.
/// A model call shows its tokens and its cost, and the outermost call the sums.
///
/// ```text
/// research ✓ · 1 model call, 812 in (640 cached), 96 out, $0.001255
/// ├─ skill web_search ✗ timeout
/// ├─ skill web_search ✓ attempt 2
/// ├─ query find_notes ✓
/// └─ model gpt-5 ✓ · 812 in (640 cached), 96 out, $0.001255
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) id: RunId,
    pub(super) started: SystemTime,
    /// The start in ticks of the clock, which orders runs.
    pub(crate) ticks: u64,
    /// The time from the start to the last end, or to the snapshot.
    pub(super) elapsed: Duration,
    pub(super) nodes: Vec<Node>,
    pub(super) rolled_up: Vec<RolledUp>,
    pub(super) lines: Vec<Line>,
    pub(super) left_out_lines: u64,
    pub(super) tags: Vec<Tag>,
    pub(super) notes: Vec<Note>,
    pub(super) lost_texts: u32,
    /// The limits of budgets that calls of the run have passed, and those that cannot be verified.
    pub(super) passed: Limits,
    pub(super) unverifiable: Limits,
    pub(super) has_ended: bool,
    pub(super) is_incomplete: bool,
}

/// A tracked call of a run.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) parent: Option<u32>,
    pub(super) kind: CallKind,
    pub(super) name: &'static str,
    /// The operation of a query, or the provider of a model.
    pub(super) operation: &'static str,
    /// Since the start of the run.
    pub(super) start: Duration,
    pub(super) duration: Option<Duration>,
    pub(super) waiting: Duration,
    pub(super) first_item: Option<Duration>,
    pub(super) items: u32,
    pub(super) outcome: Option<Outcome>,
    pub(super) error: Option<Box<str>>,
    /// What a model call has reported at its end.
    pub(super) reply: Option<Box<Reply>>,
    pub(super) attempt: u32,
    /// `None` for most calls.
    pub(super) marks: Option<Box<Marks>>,
    pub(super) is_judged: bool,
    pub(super) is_detached: bool,
    /// It was taken back. No snapshot has such a node.
    pub(super) is_withdrawn: bool,
}

/// A model call of a run: what was asked of which provider, and what the reply reported.
#[derive(Clone, Copy, Debug)]
pub struct ModelCall<'r> {
    node: &'r Node,
}

/// The sums of all calls of one name under one node for which the run had no room as nodes.
#[derive(Clone, Debug)]
pub struct RolledUp {
    pub(super) parent: u32,
    pub(super) kind: CallKind,
    /// The provider of a model.
    pub(super) operation: &'static str,
    pub(super) name: &'static str,
    pub(super) calls: u64,
    pub(super) ended: u64,
    pub(super) failures: u64,
    pub(super) total: Duration,
    pub(super) longest: Duration,
    /// Of model calls that have reported.
    pub(super) sums: Option<Box<Sums>>,
}

impl Run {
    /// Returns the id of the run.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Returns the `agent_id` of the outermost call.
    pub fn agent(&self) -> &'static str {
        self.root().name
    }

    /// Returns the time at which the run began.
    pub fn started(&self) -> SystemTime {
        self.started
    }

    /// Returns the time from the begin of the run to the end of its last call, or to the snapshot if the run goes on.
    pub fn duration(&self) -> Duration {
        self.elapsed
    }

    /// Returns the outcome of the outermost call, `None` before its end.
    pub fn outcome(&self) -> Option<Outcome> {
        self.root().outcome
    }

    /// Returns whether every call of the run has ended, including those that outlived the outermost one.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns whether the recorder lost events of the run, so that nodes, ends or errors are missing.
    pub fn is_incomplete(&self) -> bool {
        self.is_incomplete
    }

    /// Returns the outermost call, which is the first node.
    pub fn root(&self) -> &Node {
        &self.nodes[0]
    }

    /// Returns the nodes in the order of their begin. A parent is always before its children.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the calls that are summed by name, since a run has at most 2,000 nodes.
    pub fn rolled_up(&self) -> &[RolledUp] {
        &self.rolled_up
    }

    /// Returns log lines that were written inside the run, in the order of their time: the first 20, the last 100, and 80 of
    /// the levels `warn` and `error` between; at most 64 KiB.
    ///
    /// They are those of [`logging::init`](crate::logging::init) or `Logging::layer`, after its filter and its redaction.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Returns the number of further log lines, for which the run had no room.
    pub fn left_out_lines(&self) -> u64 {
        self.left_out_lines
    }

    /// Returns the nodes directly inside the node at `parent`, each with its place among the [nodes](Self::nodes).
    pub fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(move |(_, node)| node.parent() == Some(parent))
    }

    /// Returns whether a call inside the outermost one ended as `error`, `panic` or `cancelled`.
    pub fn has_failed_step(&self) -> bool {
        self.nodes.iter().skip(1).any(Node::has_failed)
            || self.rolled_up.iter().any(|calls| calls.failures > 0)
    }

    /// Returns the tokens of all model calls of the run that have ended.
    ///
    /// It is the sum over the model calls themselves, whose usage counts once, and includes those of inner agents and those
    /// that failed or were cancelled.
    pub fn usage(&self) -> UsageSum {
        self.sums().usage
    }

    /// Returns the cost of all model calls of the run that have ended, as [`usage`](Self::usage) has their tokens.
    ///
    /// A call without a price is not free: the sum is then a lower bound, and says so.
    pub fn cost(&self) -> CostSum {
        self.sums().cost
    }

    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        self.nodes.iter().filter_map(Node::model).for_each(|call| sums.merge(&call.sums()));
        self.rolled_up.iter().for_each(|calls| sums.merge(&calls.sums()));
        sums
    }

    /// Returns the tags that [`run::tag`](super::tag) has set, in the order of their first use.
    pub fn tags(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.tags.iter().map(|tag| (tag.key, &*tag.value))
    }

    /// Returns the value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags().find_map(|(own, value)| (own == key).then_some(value))
    }

    /// Returns the notes that [`run::note`](super::note) has made, in the order of their time.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Returns the number of tags, notes and recorded contents for which the run had no room.
    pub fn lost_texts(&self) -> u32 {
        self.lost_texts
    }

    /// Returns the limits of budgets that calls of the run have passed.
    pub fn passed_limits(&self) -> impl Iterator<Item = BudgetLimit> {
        self.passed.iter()
    }

    /// Returns the limits of budgets that cannot be verified, since the usage or the price of a model call is not known.
    pub fn unverifiable_limits(&self) -> impl Iterator<Item = BudgetLimit> {
        self.unverifiable.iter()
    }

    /// The bytes that the run takes.
    pub(crate) fn bytes(&self) -> usize {
        let errors = self.nodes.iter().filter_map(|node| Some(node.error.as_ref()?.len() + ALLOCATION_BYTES));
        let errors: usize = errors.sum();
        let replies =
            self.nodes.iter().filter_map(|node| Some(node.reply.as_ref()?.bytes() + ALLOCATION_BYTES));
        let replies: usize = replies.sum();
        let marks = self.nodes.iter().filter_map(|node| Some(node.marks.as_ref()?.bytes()));
        let marks: usize = marks.sum();
        let sums = self.rolled_up.iter().filter(|calls| calls.sums.is_some()).count()
            * (size_of::<Sums>() + ALLOCATION_BYTES);
        size_of::<Self>()
            + 5 * ALLOCATION_BYTES
            + self.nodes.capacity() * size_of::<Node>()
            + self.rolled_up.capacity() * size_of::<RolledUp>()
            + errors
            + lines::bytes_of(&self.lines)
            + replies
            + sums
            + said::bytes_of(&self.tags, &self.notes)
            + marks
    }

    /// Completes a snapshot: orders the nodes, numbers the attempts, and marks calls that outlived their parent.
    pub(super) fn derive(&mut self) {
        self.arrange();
        self.rolled_up.retain(|calls| calls.calls > 0);
        // Threads may have queued theirs in another order.
        self.notes.sort_by_key(|note| note.at);
        let mut last: HashMap<(Option<u32>, usize), usize, RandomState> = HashMap::default();
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let key = (node.parent, node.name.as_ptr().addr() ^ node.kind as usize);
            let before = last.insert(key, at).map(|before| &self.nodes[before]);
            let failed_before = before
                .filter(|before| before.has_failed() && before.end().is_some_and(|end| end <= node.start));
            let attempt = failed_before.map_or(1, |before| before.attempt + 1).saturating_add(node.retries());
            let parent = node.parent().and_then(|parent| self.nodes.get(parent));
            let outlives =
                parent.and_then(Node::end).is_some_and(|ended| node.end().is_none_or(|end| end > ended));
            let node = &mut self.nodes[at];
            node.attempt = attempt;
            node.is_detached = outlives;
        }
    }
}

impl Run {
    /// Brings the nodes into the order of their begin, without those that were withdrawn: the calls inside such a one are those
    /// of the call around it.
    ///
    /// Nodes are mostly in that order. Begins that came through different rings are not if a look read only the later one, nor
    /// is a call of another crate that was known to be one only after its begin.
    fn arrange(&mut self) {
        let is_in_order = self.nodes.windows(2).all(|pair| pair[0].start <= pair[1].start);
        if is_in_order && !self.nodes.iter().any(|node| node.is_withdrawn) {
            return;
        }
        // A parent is always before its children. It stays so even if the clocks of two processors differ.
        let (mut starts, mut homes) = (Vec::<Duration>::new(), Vec::<usize>::new());
        for (at, node) in self.nodes.iter().enumerate() {
            let parent = node.parent();
            starts.push(parent.map_or(node.start, |parent| node.start.max(starts[parent])));
            homes.push(parent.filter(|_| node.is_withdrawn).map_or(at, |parent| homes[parent]));
        }
        let mut order: Vec<_> = (0..self.nodes.len()).filter(|at| homes[*at] == *at).collect();
        order.sort_by_key(|at| starts[*at]);
        let mut places = vec![0; self.nodes.len()];
        for (place, at) in (0..).zip(&order) {
            places[*at] = place;
        }
        let place_of = |at: u32| places[homes[at as usize]];
        let mut nodes: Vec<_> = std::mem::take(&mut self.nodes).into_iter().map(Some).collect();
        self.nodes = order.into_iter().filter_map(|at| nodes[at].take()).collect();
        for node in &mut self.nodes {
            node.parent = node.parent.map(place_of);
        }
        self.rolled_up.iter_mut().for_each(|calls| calls.parent = place_of(calls.parent));
        self.notes.iter_mut().for_each(|note| note.node = place_of(note.node));
        self.lines.iter_mut().for_each(|line| line.node = line.node.map(place_of));
    }
}

impl Node {
    /// Returns the place of the parent among the [nodes](Run::nodes), `None` for the outermost call.
    pub fn parent(&self) -> Option<usize> {
        self.parent.map(|parent| parent as usize)
    }

    /// Returns the kind of the call: `agent`, `skill`, `query` or `model`.
    pub fn kind(&self) -> &'static str {
        kind_name(self.kind)
    }

    /// Returns the `agent_id`, `skill_id`, `query` or `model` of the call.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the `operation` of a query, an empty text for other calls.
    pub fn operation(&self) -> &'static str {
        if self.kind == CallKind::Query { self.operation } else { "" }
    }

    /// Returns what is known of a model call; `None` for other calls.
    pub fn model(&self) -> Option<ModelCall<'_>> {
        (self.kind == CallKind::Model).then_some(ModelCall { node: self })
    }

    /// Returns the time from the begin of the run to the begin of the call.
    pub fn start(&self) -> Duration {
        self.start
    }

    /// Returns the duration of the call, `None` before its end.
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Returns the part of the duration between polls of the call's future or stream.
    pub fn waiting(&self) -> Duration {
        self.waiting
    }

    /// Returns the time from the begin of the call to the first item of its stream.
    pub fn first_item(&self) -> Option<Duration> {
        self.first_item
    }

    /// Returns the number of items that its stream had yielded at its end.
    pub fn items(&self) -> u32 {
        self.items
    }

    /// Returns the outcome of the call, `None` before its end.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns the text of its error with all sources, cut after 1,024 bytes.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Returns the number of the attempt: one more than that of the previous call of this name under the same parent, if
    /// that call had failed before this one began, else 1. Each call of [`run::retry`](super::retry) in it adds one.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the number of further attempts that the call has made, as told by [`run::retry`](super::retry).
    pub fn retries(&self) -> u32 {
        self.marks.as_ref().map_or(0, |marks| marks.retries)
    }

    /// Returns the reason of its last further attempt.
    pub fn retry_reason(&self) -> Option<&str> {
        self.marks.as_ref()?.reason.as_deref()
    }

    /// Returns the number of calls of the run with the same arguments: the successful ones before the call, and itself. It
    /// is 1 for a call without the option `repeats`, for the first one, and for one after a failure.
    pub fn identical_calls(&self) -> u32 {
        self.marks.as_ref().map_or(1, |marks| marks.repeat.max(1))
    }

    /// Returns the limits of its budget that the call has passed.
    pub fn passed_limits(&self) -> impl Iterator<Item = BudgetLimit> {
        self.marks.as_ref().map(|marks| marks.passed).unwrap_or_default().iter()
    }

    /// Returns the limits of its budget that cannot be verified, since the usage or the price of a model call is not known.
    pub fn unverifiable_limits(&self) -> impl Iterator<Item = BudgetLimit> {
        self.marks.as_ref().map(|marks| marks.unverifiable).unwrap_or_default().iter()
    }

    /// Returns the arguments that the attribute's option `record(…)` names, and the result under the name `result`.
    ///
    /// Each is its name and its text, cut after its bytes, after the log's rules for redaction. A call has none if it was
    /// summed with others, and its result is missing if it has not ended.
    pub fn contents(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let contents = self.marks.iter().flat_map(|marks| &marks.contents);
        contents.map(|content| (content.name, &*content.text))
    }

    /// Returns the text of an argument, or of the `result`, that `record(…)` names.
    pub fn content(&self, name: &str) -> Option<&str> {
        self.contents().find_map(|(own, text)| (own == name).then_some(text))
    }

    /// Whether it is a further attempt after another call that failed.
    pub(super) fn follows_failure(&self) -> bool {
        self.attempt > self.retries().saturating_add(1)
    }

    /// Returns whether the call outlived its parent.
    pub fn is_detached(&self) -> bool {
        self.is_detached
    }

    /// Returns whether the call ended as `error` by the judgement of [`Classify`](crate::Classify), `error_if` or `ok_if`,
    /// without an error value.
    pub fn is_judged(&self) -> bool {
        self.is_judged
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.outcome.is_some_and(|outcome| outcome != Outcome::Success)
    }

    fn end(&self) -> Option<Duration> {
        Some(self.start + self.duration?)
    }
}

impl<'r> ModelCall<'r> {
    fn reply(self) -> Option<&'r Reply> {
        self.node.reply.as_deref()
    }

    /// Returns the provider, cut after 256 bytes.
    ///
    /// If the series have [no room](crate::metrics) for the names, it is `__overflow__` until the call ends.
    pub fn provider(&self) -> &'r str {
        self.requested().map_or(self.node.operation, |[provider, _]| provider)
    }

    /// Returns the model that was requested, cut after 256 bytes.
    ///
    /// If the series have no room for the names, it is `__overflow__` until the call ends.
    pub fn request_model(&self) -> &'r str {
        self.requested().map_or(self.node.name, |[_, model]| model)
    }

    fn requested(self) -> Option<&'r [Box<str>; 2]> {
        self.reply()?.requested.as_ref()
    }

    /// Returns the model that replied, cut after 256 bytes; `None` if it is not known.
    pub fn response_model(&self) -> Option<&'r str> {
        self.reply()?.model.as_deref()
    }

    /// Returns the tokens that the call used; `None` if it reported none, or goes on.
    pub fn usage(&self) -> Option<Usage> {
        self.reply().map(|reply| reply.usage).filter(|usage| !usage.is_unknown())
    }

    /// Returns the cost, which says its source; `None` if the call has no price, or goes on.
    pub fn cost(&self) -> Option<Cost> {
        self.reply()?.cost
    }

    /// Returns the reason why the model stopped, cut after 256 bytes; `None` if it is not known.
    pub fn finish_reason(&self) -> Option<&'r str> {
        self.reply()?.finish_reason.as_deref()
    }

    /// Returns whether the model refused to answer, as [`ModelReply::is_refusal`](crate::genai::ModelReply::is_refusal) tells
    /// it; `false` while the call goes on.
    pub fn is_refusal(&self) -> bool {
        self.reply().is_some_and(|reply| reply.is_refusal)
    }

    /// Returns the time from the begin of the call to the first chunk of a streamed reply.
    pub fn first_chunk(&self) -> Option<Duration> {
        self.node.first_item()
    }

    /// Returns the number of further attempts inside the call, which only [`genai::call`](crate::genai::call) tells.
    pub fn retries(&self) -> u32 {
        self.reply().map_or(0, |reply| reply.retries)
    }

    /// Returns the sum of the pauses before these attempts.
    pub fn backoff(&self) -> Duration {
        self.reply().map_or(Duration::ZERO, |reply| reply.backoff)
    }

    /// The usage as a sum, which is empty until the call has ended.
    #[cfg(feature = "http")]
    pub(crate) fn usage_sum(self) -> UsageSum {
        self.sums().usage
    }

    /// The cost as a sum, which is empty until the call has ended.
    #[cfg(feature = "http")]
    pub(crate) fn cost_sum(self) -> CostSum {
        self.sums().cost
    }

    /// The sums of this call alone, which are empty until it has ended.
    pub(super) fn sums(self) -> Sums {
        let mut sums = Sums::default();
        if let Some(reply) = self.reply() {
            sums.add(reply);
        }
        sums.of_calls(u64::from(self.node.outcome().is_some()))
    }
}

impl RolledUp {
    pub(super) fn new(parent: u32, kind: CallKind, operation: &'static str, name: &'static str) -> Self {
        let (calls, ended, failures) = (0, 0, 0);
        let [total, longest] = [Duration::ZERO; 2];
        Self { parent, kind, operation, name, calls, ended, failures, total, longest, sums: None }
    }

    /// Returns the place of the enclosing node among the [nodes](Run::nodes).
    pub fn parent(&self) -> usize {
        self.parent as usize
    }

    /// Returns the kind of the calls: `agent`, `skill`, `query` or `model`.
    pub fn kind(&self) -> &'static str {
        kind_name(self.kind)
    }

    /// Returns the name of the calls.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the number of calls that began.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Returns the number of calls that ended as `error`, `panic` or `cancelled`.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Returns the sum of the durations of the ended calls.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// Returns the longest duration.
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// Returns the tokens of the model calls that have ended, as [`Run::usage`] does; it has no calls for other kinds.
    pub fn usage(&self) -> UsageSum {
        self.sums().usage
    }

    /// Returns the cost of the model calls that have ended, as [`Run::cost`] does; it has no calls for other kinds.
    pub fn cost(&self) -> CostSum {
        self.sums().cost
    }

    pub(super) fn sums(&self) -> Sums {
        let calls = if self.kind == CallKind::Model { self.ended } else { 0 };
        self.sums.as_deref().copied().unwrap_or_default().of_calls(calls)
    }
}

pub(crate) fn kind_name(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Agent => "agent",
        CallKind::Skill => "skill",
        CallKind::Query => "query",
        CallKind::Model => "model",
    }
}

#[cfg(test)]
impl Node {
    /// A call that has succeeded.
    pub(super) fn ended(parent: Option<u32>, kind: CallKind, name: &'static str, start: Duration) -> Self {
        Self {
            parent,
            kind,
            name,
            operation: "",
            start,
            duration: Some(Duration::ZERO),
            waiting: Duration::ZERO,
            first_item: None,
            items: 0,
            outcome: Some(Outcome::Success),
            error: None,
            reply: None,
            attempt: 1,
            marks: None,
            is_judged: false,
            is_detached: false,
            is_withdrawn: false,
        }
    }
}

#[cfg(test)]
impl Run {
    /// A run that is over.
    pub(super) fn of_nodes(nodes: Vec<Node>) -> Self {
        Self {
            id: RunId::from_bytes([7; 16]),
            started: SystemTime::UNIX_EPOCH,
            ticks: 0,
            elapsed: Duration::ZERO,
            nodes,
            rolled_up: Vec::new(),
            lines: Vec::new(),
            left_out_lines: 0,
            tags: Vec::new(),
            notes: Vec::new(),
            lost_texts: 0,
            passed: Limits::default(),
            unverifiable: Limits::default(),
            has_ended: true,
            is_incomplete: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(parent: u32, name: &'static str, start: u64) -> Node {
        Node::ended(Some(parent), CallKind::Skill, name, Duration::from_millis(start))
    }

    fn root() -> Node {
        let root = Node::ended(None, CallKind::Agent, "root", Duration::ZERO);
        Node { duration: Some(Duration::from_millis(10)), ..root }
    }

    #[test]
    fn nodes_are_in_the_order_of_their_begin_and_withdrawn_ones_are_left_out() {
        let withdrawn = Node { is_withdrawn: true, ..node(0, "withdrawn", 1) };
        let failed = Node { outcome: Some(Outcome::Error), ..node(0, "step", 4) };
        let nodes =
            vec![root(), node(0, "step", 5), withdrawn, node(2, "inside", 2), failed, node(4, "early", 3)];
        let mut run = Run::of_nodes(nodes);
        run.notes.push(Note { node: 2, at: Duration::from_millis(6), text: "said".into() });
        run.rolled_up.push(RolledUp { calls: 2, ..RolledUp::new(3, CallKind::Skill, "", "more") });
        run.rolled_up.push(RolledUp::new(0, CallKind::Model, "openai", "withdrawn too"));
        run.derive();
        let expected = "root ✓\n\
             ├─ skill inside ✓\n\
             │  └─ skill more × 2\n\
             ├─ skill step ✗\n\
             │  └─ skill early ✓\n\
             ├─ skill step ✓ attempt 2\n\
             └─ • said";
        assert_eq!(run.to_string(), expected);
        assert!(
            run.nodes().iter().enumerate().all(|(at, node)| node.parent().is_none_or(|parent| parent < at))
        );
    }
}
