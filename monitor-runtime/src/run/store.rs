//! The runs that are kept after their end, chosen by outcome and bounded by bytes.
//!
//! Each agent has classes of runs (the newest, the failed, those of each decade of durations …), and each class has room
//! for a few. A run is stored once, in however many classes it is, and is evicted when the last of them drops it. If all
//! runs together take more bytes than their ceiling, those in the fewest classes are evicted first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState as Random};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::id::RunId;
use super::reply::Sums;
use super::tree::Run;
use crate::families::Outcome;
use crate::families::readings::{DECADES, decade_of};

/// A class of runs, with the number of runs that it keeps for each agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Newest,
    Failed(Outcome),
    /// It succeeded although a step of it failed.
    FailedStep,
    /// By the decade of its duration: under 10 ms, under 100 ms, … from 1,000 s on.
    Slow(usize),
    /// A random sample, so that typical runs are kept.
    Typical,
    /// Chosen by a person.
    Pinned,
    /// It cost more than others.
    Dearest,
    /// It used more tokens than others.
    MostTokens,
}

/// The classes of an agent: a place for each class without a value, each failure and each decade.
const CLASSES: usize = 6 + 3 + DECADES;

/// The minimum time between the ends of two kept runs of one decade.
const SLOW_APART: Duration = Duration::from_secs(1);

/// The time after which a dear run gives way to any newer one.
const DEAR_FOR: Duration = Duration::from_secs(3_600);

impl Class {
    fn place(self) -> usize {
        match self {
            Self::Newest => 0,
            Self::FailedStep => 1,
            Self::Typical => 2,
            Self::Pinned => 3,
            Self::Dearest => 4,
            Self::MostTokens => 5,
            Self::Failed(outcome) => 5 + outcome as usize,
            Self::Slow(decade) => 9 + decade,
        }
    }

    fn room(self) -> usize {
        match self {
            Self::Newest => 50,
            Self::Failed(_) | Self::Pinned => 20,
            Self::FailedStep | Self::Slow(_) | Self::Typical | Self::Dearest | Self::MostTokens => 10,
        }
    }
}

/// The classes of a run, besides those that compare it with others.
fn classes_of(run: &Run) -> impl Iterator<Item = Class> {
    let failed = run.outcome().filter(|outcome| *outcome != Outcome::Success);
    let class = match failed {
        Some(outcome) => Some(Class::Failed(outcome)),
        None => run.has_failed_step().then_some(Class::FailedStep),
    };
    [Class::Newest, Class::Slow(decade_of(run.duration()))].into_iter().chain(class)
}

/// Counts of the runs that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Runs that have ended. Each is kept or evicted.
    pub(crate) ended: u64,
    pub(crate) evicted: u64,
}

#[derive(Debug)]
struct Kept {
    run: Arc<Run>,
    bytes: usize,
    /// The number of classes it is in.
    classes: usize,
    /// Its end, since the start of the recorder.
    ended: Duration,
    /// What it cost, in nano-dollars, as far as that is known.
    cost: u64,
    tokens: u64,
}

impl Kept {
    fn shown(&self, key: u64, pinned: &HashSet<u64, RandomState>) -> KeptRun {
        KeptRun { key, run: Arc::clone(&self.run), is_pinned: pinned.contains(&key) }
    }
}

/// The kept runs of one agent: by class, the keys of the runs, oldest first.
#[derive(Debug, Default)]
struct Shelf {
    classes: [VecDeque<u64>; CLASSES],
    /// The end of the last kept run of each decade, since the start of the recorder.
    slow_at: [Option<Duration>; DECADES],
    ended: u64,
}

/// Bytes of a kept run besides the run: its entries in maps and classes, and the counts of its `Arc`.
const RUN_BYTES: usize = 256;

/// Bytes of a shelf with all its classes full, and of its entry.
const SHELF_BYTES: usize = 2_720;

/// Bytes of what the runs of an agent used, with its entry.
const USED_BYTES: usize = 2 * size_of::<(&str, (u64, Sums))>();

/// All kept runs.
#[derive(Debug)]
pub(crate) struct Store {
    /// By a key that counts the ended runs.
    runs: HashMap<u64, Kept, RandomState>,
    shelves: HashMap<&'static str, Shelf, RandomState>,
    /// The runs of each agent that ended, kept or not, and what they used.
    used: HashMap<&'static str, (u64, Sums), RandomState>,
    by_id: HashMap<RunId, Vec<u64>, RandomState>,
    /// The bytes of all runs.
    bytes: usize,
    counts: Counts,
    /// Runs that have ended, by the outcome of their outermost call.
    outcomes: [u64; Outcome::ALL.len()],
    random: Random,
}

/// A kept run, as a reader gets it.
#[derive(Clone, Debug)]
pub(crate) struct KeptRun {
    /// Its place among all runs that ended.
    pub(crate) key: u64,
    pub(crate) run: Arc<Run>,
    pub(crate) is_pinned: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            runs: HashMap::default(),
            shelves: HashMap::default(),
            used: HashMap::default(),
            by_id: HashMap::default(),
            bytes: 0,
            counts: Counts::default(),
            outcomes: Default::default(),
            random: Random::new(),
        }
    }
}

impl Store {
    /// Adds a run that ended at `now`, since the start of the recorder.
    pub(crate) fn add(&mut self, run: Run, now: Duration) {
        let (key, agent) = (self.counts.ended, run.agent());
        self.counts.ended += 1;
        if let Some(outcome) = run.outcome() {
            self.outcomes[outcome as usize] += 1;
        }
        let bytes = run.bytes() + RUN_BYTES;
        let classes: Vec<Class> = classes_of(&run).collect();
        self.by_id.entry(run.id()).or_default().push(key);
        // It counts as being in one more class until it has been offered to all.
        let used = run.sums();
        let cost = used.cost.nanos().unwrap_or(0);
        let tokens = used.usage.tokens().unwrap_or(0);
        self.runs.insert(key, Kept { run: Arc::new(run), bytes, classes: 1, ended: now, cost, tokens });
        self.bytes += bytes;
        for class in classes {
            self.offer(agent, class, key, now);
        }
        self.compare(agent, Class::Dearest, key);
        self.compare(agent, Class::MostTokens, key);
        self.sample(agent, key);
        self.drop_from_class(key);
        let (runs, all) = self.used.entry(agent).or_default();
        *runs += 1;
        all.merge(&used);
    }

    /// The number of an agent's runs that ended, and what they used, whether they are kept or not.
    pub(crate) fn used_by(&self, agent: &str) -> Option<(u64, Sums)> {
        self.used.get(agent).copied()
    }

    /// Evicts runs if they take more than this many bytes.
    pub(crate) fn shrink(&mut self, ceiling: usize) {
        if self.bytes() > ceiling {
            // More than necessary, since each time all runs are ordered.
            self.evict(ceiling - ceiling / 16);
        }
    }

    /// Keeps the runs of this id until 20 others of their agent are pinned. Returns `false` if none is kept.
    pub(crate) fn pin(&mut self, id: RunId) -> bool {
        let keys = self.by_id.get(&id).cloned().unwrap_or_default();
        for key in &keys {
            if let Some(agent) = self.runs.get(key).map(|kept| kept.run.agent()) {
                self.leave_class(agent, Class::Pinned, *key);
                self.offer(agent, Class::Pinned, *key, Duration::ZERO);
            }
        }
        !keys.is_empty()
    }

    /// Undoes [`pin`](Self::pin). Returns `false` if no run of this id is pinned.
    pub(crate) fn unpin(&mut self, id: RunId) -> bool {
        let keys = self.by_id.get(&id).cloned().unwrap_or_default();
        let mut is_pinned = false;
        for key in keys {
            if let Some(agent) = self.runs.get(&key).map(|kept| kept.run.agent()) {
                is_pinned |= self.leave_class(agent, Class::Pinned, key);
            }
        }
        is_pinned
    }

    fn leave_class(&mut self, agent: &str, class: Class, key: u64) -> bool {
        let keys = self.shelves.get_mut(agent).map(|shelf| &mut shelf.classes[class.place()]);
        let Some(keys) = keys.filter(|keys| keys.contains(&key)) else { return false };
        keys.retain(|other| *other != key);
        self.drop_from_class(key);
        true
    }

    fn offer(&mut self, agent: &'static str, class: Class, key: u64, now: Duration) {
        let kept_of = self.shelves.entry(agent).or_default();
        if let Class::Slow(decade) = class {
            let last = &mut kept_of.slow_at[decade];
            if last.is_some_and(|last| now.saturating_sub(last) < SLOW_APART) {
                return;
            }
            *last = Some(now);
        }
        let keys = &mut kept_of.classes[class.place()];
        keys.push_back(key);
        let pushed_out = (keys.len() > class.room()).then(|| keys.pop_front()).flatten();
        self.add_class(key);
        if let Some(pushed_out) = pushed_out {
            self.drop_from_class(pushed_out);
        }
    }

    /// Puts the run that ended last into a class of those with the greatest figure, if it has one and is among them.
    fn compare(&mut self, agent: &'static str, class: Class, key: u64) {
        let Some(newest) = self.runs.get(&key) else { return };
        let figure = |kept: &Kept| if class == Class::Dearest { kept.cost } else { kept.tokens };
        let (own, now) = (figure(newest), newest.ended);
        if own == 0 {
            return;
        }
        let keys = &mut self.shelves.entry(agent).or_default().classes[class.place()];
        let worth = |key: &u64| {
            self.runs.get(key).map(|kept| (now.saturating_sub(kept.ended) <= DEAR_FOR, figure(kept)))
        };
        let is_full = keys.len() == class.room();
        let least = keys.iter().enumerate().min_by_key(|(_, key)| worth(key)).filter(|_| is_full);
        let replaced = match least.map(|(at, key)| (at, worth(key))) {
            Some((_, worth)) if worth >= Some((true, own)) => return,
            Some((at, _)) => keys.remove(at),
            None => None,
        };
        keys.push_back(key);
        self.add_class(key);
        if let Some(replaced) = replaced {
            self.drop_from_class(replaced);
        }
    }

    /// Algorithm R of Vitter, "Random Sampling with a Reservoir" (1985): each run of the agent is in the sample with the same
    /// probability.
    fn sample(&mut self, agent: &'static str, key: u64) {
        let random = self.random.hash_one(key);
        let kept_of = self.shelves.entry(agent).or_default();
        kept_of.ended += 1;
        let keys = &mut kept_of.classes[Class::Typical.place()];
        let replaced = if keys.len() < Class::Typical.room() {
            keys.push_back(key);
            None
        } else {
            let place = usize::try_from(random % kept_of.ended).ok();
            let Some(slot) = place.and_then(|place| keys.get_mut(place)) else { return };
            Some(std::mem::replace(slot, key))
        };
        self.add_class(key);
        if let Some(replaced) = replaced {
            self.drop_from_class(replaced);
        }
    }

    fn add_class(&mut self, key: u64) {
        if let Some(kept) = self.runs.get_mut(&key) {
            kept.classes += 1;
        }
    }

    fn drop_from_class(&mut self, key: u64) {
        let Some(kept) = self.runs.get_mut(&key) else { return };
        kept.classes -= 1;
        if kept.classes == 0 {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: u64) {
        let Some(kept) = self.runs.remove(&key) else { return };
        self.bytes -= kept.bytes;
        self.counts.evicted += 1;
        if let Some(keys) = self.by_id.get_mut(&kept.run.id()) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_id.remove(&kept.run.id());
            }
        }
    }

    /// Evicts runs until the rest takes at most this many bytes: those in the fewest classes first, among them the oldest;
    /// pinned runs and the last failed run of each agent last.
    fn evict(&mut self, bytes: usize) {
        let last_failed = self.shelves.values().filter_map(Shelf::last_failed);
        let precious: HashSet<u64, RandomState> = last_failed.chain(self.pinned()).collect();
        let mut order: Vec<_> =
            self.runs.iter().map(|(key, kept)| (precious.contains(key), kept.classes, *key)).collect();
        order.sort_unstable();
        for (_, _, key) in order {
            if self.bytes() <= bytes {
                break;
            }
            let Some(agent) = self.runs.get(&key).map(|kept| kept.run.agent()) else { continue };
            if let Some(shelf) = self.shelves.get_mut(agent) {
                shelf.classes.iter_mut().for_each(|keys| keys.retain(|other| *other != key));
                if shelf.classes.iter().all(VecDeque::is_empty) {
                    self.shelves.remove(agent);
                }
            }
            self.remove(key);
        }
    }

    /// The kept runs of this id. They are several if several runs belong to one trace.
    pub(crate) fn find(&self, id: RunId) -> Vec<Arc<Run>> {
        let keys = self.by_id.get(&id).into_iter().flatten();
        keys.filter_map(|key| Some(Arc::clone(&self.runs.get(key)?.run))).collect()
    }

    /// Every kept run, the one that ended last first.
    pub(crate) fn newest_first(&self) -> Vec<Arc<Run>> {
        let mut runs: Vec<_> = self.runs.iter().map(|(key, kept)| (*key, &kept.run)).collect();
        runs.sort_unstable_by_key(|(key, _)| std::cmp::Reverse(*key));
        runs.into_iter().map(|(_, run)| Arc::clone(run)).collect()
    }

    /// Every kept run, the last one to end first.
    pub(crate) fn all(&self) -> Vec<KeptRun> {
        let pinned = self.pinned();
        let mut all: Vec<_> = self.runs.iter().map(|(key, kept)| kept.shown(*key, &pinned)).collect();
        all.sort_unstable_by_key(|kept| std::cmp::Reverse(kept.key));
        all
    }

    /// The kept runs of this id, each with whether it is pinned.
    pub(crate) fn of_id(&self, id: RunId) -> Vec<KeptRun> {
        let pinned = self.pinned();
        let keys = self.by_id.get(&id).into_iter().flatten();
        keys.filter_map(|key| Some(self.runs.get(key)?.shown(*key, &pinned))).collect()
    }

    fn pinned(&self) -> HashSet<u64, RandomState> {
        self.shelves.values().flat_map(|shelf| &shelf.classes[Class::Pinned.place()]).copied().collect()
    }

    /// Runs that have ended, by the outcome of their outermost call.
    pub(crate) fn outcomes(&self) -> [u64; Outcome::ALL.len()] {
        self.outcomes
    }

    /// The kept run that ended before all others.
    pub(crate) fn oldest(&self) -> Option<&Run> {
        let oldest = self.runs.iter().min_by_key(|(key, _)| **key)?;
        Some(&oldest.1.run)
    }

    /// The kept runs of an agent in one class, the one that ended last first.
    pub(crate) fn of_class(&self, agent: &str, class: Class) -> Vec<Arc<Run>> {
        let keys = self.shelves.get(agent).map(|shelf| &shelf.classes[class.place()]);
        let keys = keys.into_iter().flatten().rev();
        keys.filter_map(|key| Some(Arc::clone(&self.runs.get(key)?.run))).collect()
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// The bytes that all of it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.shelves.len() * SHELF_BYTES + self.used.len() * USED_BYTES
    }
}

impl Shelf {
    fn last_failed(&self) -> Option<u64> {
        let failed = [Outcome::Error, Outcome::Panic, Outcome::Cancelled].map(Class::Failed);
        failed.iter().filter_map(|class| self.classes[class.place()].back().copied()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ModelEnded, Report};
    use crate::families::CallKind;
    use crate::run::reply::Reply;
    use crate::run::tree::Node;
    use crate::usage::{Cost, Usage};

    fn run(id: u128, outcome: Outcome, duration: Duration, error: Option<&str>) -> Run {
        let mut node = Node::ended(None, CallKind::Agent, "planner", Duration::ZERO);
        node.duration = Some(duration);
        node.outcome = Some(outcome);
        node.error = error.map(Into::into);
        Run { id: self::id(id), elapsed: duration, ..Run::of_nodes(vec![node]) }
    }

    const QUICK: Duration = Duration::from_millis(1);

    fn id(id: u128) -> RunId {
        RunId::from_bytes(id.to_be_bytes())
    }

    #[test]
    fn one_failed_and_one_slow_run_among_many_quick_ones_are_kept() {
        let mut store = Store::default();
        for id in 1..=100_000 {
            let at = Duration::from_millis(id);
            let id = u128::from(id);
            let run = match id {
                30_000 => run(id, Outcome::Error, QUICK, Some("disk gone")),
                60_000 => run(id, Outcome::Success, Duration::from_secs(70), None),
                _ => run(id, Outcome::Success, QUICK, None),
            };
            store.add(run, at);
        }
        assert_eq!(store.find(id(30_000))[0].root().error(), Some("disk gone"));
        assert_eq!(store.find(id(60_000)).len(), 1);
        let Counts { ended, evicted } = store.counts();
        assert_eq!(ended, 100_000);
        assert_eq!(store.len() as u64 + evicted, ended);
        assert!(store.len() <= 50 + 20 + 2 * 10 + 10, "{}", store.len());
        let newest = store.newest_first();
        assert_eq!(newest[0].id(), id(100_000));
        assert_eq!(store.of_class("planner", Class::Failed(Outcome::Error)).len(), 1);
    }

    #[test]
    fn the_ceiling_holds_and_the_last_failed_run_goes_last() {
        let mut store = Store::default();
        let ceiling = 64 << 10;
        let text = "x".repeat(4_000);
        store.add(run(1, Outcome::Error, QUICK, Some(&text)), Duration::ZERO);
        store.add(run(2, Outcome::Success, QUICK, Some(&text)), Duration::ZERO);
        assert!(store.pin(id(2)) && !store.pin(id(5_000)));
        for id in 3..1_000 {
            store.add(run(id, Outcome::Success, QUICK, Some(&text)), Duration::ZERO);
            store.shrink(ceiling);
            assert!(store.bytes() <= ceiling, "{}", store.bytes());
        }
        assert_eq!((store.find(id(1)).len(), store.find(id(2)).len(), store.find(id(3)).len()), (1, 1, 0));
        let bytes: usize = store.newest_first().iter().map(|run| run.bytes() + RUN_BYTES).sum();
        assert_eq!(store.bytes(), bytes + SHELF_BYTES + USED_BYTES);
        assert_eq!(store.len() as u64 + store.counts().evicted, 999);
    }

    /// A run whose model call cost this, in nano-dollars, at a token each.
    fn dear(id: u128, cost: u64) -> Run {
        let mut run = run(id, Outcome::Success, QUICK, None);
        let report = Report { usage: Usage::new(cost, 0), ..Report::default() };
        let ended = ModelEnded { report, cost: Some(Cost::from_nano_usd(cost)) };
        let root = &run.nodes[0];
        let (kind, reply) = (CallKind::Model, Some(Box::new(Reply::new(&ended))));
        let call = Node { parent: Some(0), kind, name: "gpt-5", reply, ..root.clone() };
        run.nodes.push(call);
        run
    }

    fn ids(store: &Store, class: Class) -> Vec<u128> {
        let mut ids: Vec<_> = store
            .of_class("planner", class)
            .iter()
            .map(|run| u128::from_str_radix(&run.id().to_string(), 16).unwrap())
            .collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn the_dearest_runs_are_kept_among_many() {
        let mut store = Store::default();
        for id in 1..=10_000_u64 {
            let cost = if id % 900 == 1 { 1_000 + id } else { id % 7 };
            store.add(dear(u128::from(id), cost), Duration::from_millis(id));
        }
        // Twelve cost more than others; the first two of them cost the least.
        let dearest: Vec<u128> = (2..12).map(|nth| 900 * nth + 1).collect();
        assert_eq!(ids(&store, Class::Dearest), dearest);
        assert_eq!(ids(&store, Class::MostTokens), dearest);
        assert_eq!(store.len() as u64 + store.counts().evicted, 10_000);
        // Evicted runs count in what all of them used.
        let all: u64 = (1..=10_000).map(|id| if id % 900 == 1 { 1_000 + id } else { id % 7 }).sum();
        let (runs, used) = store.used_by("planner").unwrap();
        assert_eq!((runs, used.usage.tokens(), used.cost.nanos()), (10_000, Some(all), Some(all)));
        assert!(store.used_by("writer").is_none());
    }

    #[test]
    fn a_dear_run_gives_way_after_an_hour_and_a_free_one_is_none() {
        let mut store = Store::default();
        for id in 1..=10 {
            store.add(dear(id, 1_000), Duration::ZERO);
        }
        store.add(dear(11, 5), DEAR_FOR);
        store.add(dear(12, 0), DEAR_FOR * 2);
        assert_eq!(ids(&store, Class::Dearest), (1..=10).collect::<Vec<_>>());
        store.add(dear(13, 5), DEAR_FOR * 2);
        assert_eq!(ids(&store, Class::Dearest), (2..=10).chain([13]).collect::<Vec<_>>());
    }

    #[test]
    fn the_bytes_of_replies_count() {
        let (plain, dear) = (run(1, Outcome::Success, QUICK, None), dear(1, 7));
        let [plain, dear] = [plain, dear].map(|run| run.bytes());
        assert!(dear >= plain + size_of::<Node>() + size_of::<Reply>(), "{plain} {dear}");
    }

    #[test]
    fn runs_of_one_trace_share_an_id() {
        let mut store = Store::default();
        for _ in 0..2 {
            store.add(run(7, Outcome::Success, QUICK, None), Duration::ZERO);
        }
        assert_eq!(store.find(id(7)).len(), 2);
    }

    #[test]
    fn a_pinned_run_leaves_once_it_is_unpinned_and_in_no_class() {
        let mut store = Store::default();
        store.add(run(1, Outcome::Success, QUICK, None), Duration::ZERO);
        assert!(store.pin(id(1)));
        for id in 2..10_000 {
            store.add(run(id, Outcome::Success, QUICK, None), Duration::from_millis(1));
        }
        assert_eq!(store.of_class("planner", Class::Pinned)[0].id(), id(1));
        store.shrink(0);
        assert_eq!((store.len(), store.bytes()), (0, USED_BYTES));
        assert!(!store.unpin(id(1)));
    }
}
