//! The runs that go on and those that are kept, as of the last look at the rings.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::event::Event;
use super::growing::{Begin, End, GrowingRun, Room};
use super::lines::{Line, LogLine};
use super::live;
use super::memory::MemoryPlan;
use super::remark::Remark;
use super::store::Store;
use super::tally::Tally;
use super::tree::Run;
use crate::call::call_id::CallId;
use crate::cells::clock;

pub(super) type QueuedRemark = (CallId, Remark);

/// An event, and whether an earlier look read it already.
pub(super) type Read = (Event, bool);

/// Takes the place of a begin that has been put into its tree.
const DONE: Event = Event::Judged { id: CallId::NONE };

/// Everything that a look changes.
#[derive(Default)]
pub(super) struct State {
    pub(super) growing: HashMap<NonZeroU32, Growing, RandomState>,
    /// The bytes of all runs that go on, and of what they have spent.
    pub(super) growing_bytes: usize,
    pub(super) store: Store,
    /// The buffer of the events that a look reads, which stays allocated.
    pub(super) events: Vec<Read>,
    /// Events that were read before the begin of their call or parent. That begin was pushed before them, so the next look
    /// reads it, unless it was lost.
    pub(super) early: Vec<Event>,
    pub(super) early_remarks: Vec<QueuedRemark>,
    pub(super) early_lines: Vec<Arc<LogLine>>,
    /// The bytes that are kept of runs that go on beside their trees: what they have spent, and their details.
    pub(super) aside_bytes: usize,
    /// What a look counts once it is dropped.
    pub(super) tallies: Vec<Tally>,
}

pub(super) enum Growing {
    Run(Box<GrowingRun>),
    /// It began while there was no room. Its events are dropped.
    Refused(NonZeroU32),
}

impl State {
    /// The bytes of an event of a look: among those read, and among the early ones.
    pub(super) const EVENT_BYTES: usize = size_of::<Read>() + size_of::<Event>();

    /// The bytes of the entry of a run that goes on but is not kept, in a table that is half full.
    pub(super) const RUN_BYTES: usize = 2 * size_of::<(NonZeroU32, Growing)>();

    /// Puts events into their trees. Returns the number of runs that had no room.
    pub(super) fn apply(
        &mut self,
        events: &mut [Read],
        remarks: Vec<QueuedRemark>,
        plan: &MemoryPlan,
    ) -> u64 {
        // Begins first. That of the enclosing call is earlier, whichever ring it came through.
        events.sort_unstable_by_key(|(event, _)| event.order());
        let begins = events.partition_point(|(event, _)| event.begin().is_some());
        let (begins, others) = events.split_at_mut(begins);
        let mut refused = 0;
        // A second time for calls that began in the same tick as their parent.
        for _ in 0..2 {
            for (event, _) in &mut *begins {
                if event.begin().is_some_and(|begin| self.begin(&begin, plan, &mut refused)) {
                    *event = DONE;
                }
            }
        }
        for (event, is_second) in &*begins {
            let Some(begin) = event.begin() else { continue };
            match begin.id.run().and_then(|run| self.growing.get(&run)) {
                Some(Growing::Run(run)) if *is_second || run.is_closing() => self.add(&begin, plan),
                _ if !is_second => self.early.push(*event),
                _ => {}
            }
        }
        for (event, is_second) in &*others {
            let is_known = self.change(event.id(), |run| put(run, *event));
            if !is_known && !is_second && event.id().run().is_some() {
                self.early.push(*event);
            }
        }
        for (call, remark) in std::mem::take(&mut self.early_remarks) {
            self.remark(call, remark, plan);
        }
        for (call, remark) in remarks {
            // A copy: what a thread allocates and another keeps would stop the allocator from giving back the rest.
            if !self.remark(call, remark.clone(), plan) {
                self.early_remarks.push((call, remark));
            }
        }
        refused
    }

    /// Puts a remark into its run. Returns `false` if the begin of its call is not known.
    fn remark(&mut self, call: CallId, remark: Remark, plan: &MemoryPlan) -> bool {
        let (mut tally, room) = (None, plan.room(self.growing_bytes));
        let is_known = self.change(call, |run| tally = run.remark(call, remark, room));
        self.tallies.extend(tally);
        is_known
    }

    /// The bytes of all runs that go on, and of what is kept beside their trees.
    pub(super) fn growing_bytes(&self) -> usize {
        self.growing_bytes
    }

    /// The bytes of the details of runs that go on.
    pub(super) fn details_bytes(&self) -> usize {
        let runs = self.growing.keys();
        runs.filter_map(|run| live::with_details(*run, |details| details.bytes())).sum()
    }

    /// Puts log lines into their runs.
    pub(super) fn add_lines(&mut self, lines: Vec<Arc<LogLine>>, plan: &MemoryPlan) {
        for line in std::mem::take(&mut self.early_lines) {
            self.add_line(&line, plan);
        }
        for line in lines {
            if !self.add_line(&line, plan) {
                self.early_lines.push(line);
            }
        }
    }

    /// Puts a log line into its run. Returns `false` if the begin of its call is not known.
    fn add_line(&mut self, line: &Arc<LogLine>, plan: &MemoryPlan) -> bool {
        let room = plan.room(self.growing_bytes);
        let call = line.call();
        self.change(call, |run| {
            run.add_line(Line { node: run.node_at(call), line: Arc::clone(line) }, room);
        })
    }

    /// Puts in the begin of a call. Returns `false` if its parent is not known.
    fn begin(&mut self, begin: &Begin, plan: &MemoryPlan, refused: &mut u64) -> bool {
        let Some(number) = begin.id.run() else { return true };
        match self.growing.get(&number) {
            Some(Growing::Run(run)) if run.knows(begin.parent) => self.add(begin, plan),
            Some(Growing::Refused(_)) => {}
            None if begin.parent.run() == Some(number) => return false,
            Some(Growing::Run(_)) => return false,
            None if plan.room(self.growing_bytes) == Room::None => {
                *refused += 1;
                self.growing.insert(number, Growing::Refused(number));
            }
            None => {
                let run = GrowingRun::begin(number, begin);
                self.growing_bytes += run.bytes();
                self.growing.insert(number, Growing::Run(Box::new(run)));
            }
        }
        true
    }

    fn add(&mut self, begin: &Begin, plan: &MemoryPlan) {
        let room = plan.room(self.growing_bytes);
        if let Some(Growing::Run(run)) = begin.id.run().and_then(|run| self.growing.get_mut(&run)) {
            let before = run.bytes();
            run.add(begin, room);
            self.growing_bytes = self.growing_bytes + run.bytes() - before;
        }
    }

    /// Changes the run that knows the call. Returns `false` if none does.
    fn change(&mut self, call: CallId, change: impl FnOnce(&mut GrowingRun)) -> bool {
        match call.run().and_then(|run| self.growing.get_mut(&run)) {
            Some(Growing::Run(run)) if run.knows(call) => {
                let before = run.bytes();
                change(run);
                self.growing_bytes = self.growing_bytes + run.bytes() - before;
                true
            }
            Some(Growing::Refused(_)) => true,
            _ => false,
        }
    }

    /// Moves the runs that are over to the store, and keeps the store inside its room.
    pub(super) fn finish(&mut self, at: Duration, plan: &MemoryPlan) {
        let tallies = &mut self.tallies;
        let mut is_over = |growing: &mut Growing| match growing {
            Growing::Run(run) => run.look(tallies),
            Growing::Refused(number) => {
                let freed = live::free(*number);
                tallies.extend(freed.map(Tally::Ended));
                freed.is_some()
            }
        };
        let over: Vec<_> =
            self.growing.iter_mut().filter_map(|(run, growing)| is_over(growing).then_some(*run)).collect();
        let over = over.into_iter().filter_map(|run| self.growing.remove(&run));
        let mut ended: Vec<_> = over
            .filter_map(|growing| match growing {
                Growing::Run(run) => Some(run.finish(tallies)),
                Growing::Refused(_) => None,
            })
            .collect();
        let bytes = |growing: &Growing| match growing {
            Growing::Run(run) => run.bytes(),
            Growing::Refused(_) => 0,
        };
        self.growing_bytes = self.aside_bytes + self.growing.values().map(bytes).sum::<usize>();
        let room = plan.trees.saturating_sub(self.growing_bytes);
        // By the steady clock: the begin by the system's clock is only as exact as two readings are near each other.
        let began = |run: &Run| Duration::from_nanos(clock::clock().delta_as_nanos(0, run.ticks));
        ended.sort_by_key(|run| began(run) + run.duration());
        for run in ended {
            self.store.add(run, at);
            self.store.shrink(room);
        }
        self.store.shrink(room);
    }
}

/// Puts an event other than a begin into the tree of its run.
fn put(run: &mut GrowingRun, event: Event) {
    match event {
        Event::FirstItem { id, nanos } => run.first_item(id, nanos),
        Event::End { id, nanos, waited, items, outcome } => {
            run.end(id, &End { nanos, waited, items, outcome });
        }
        Event::Judged { id } => run.judge(id),
        Event::Withdrawn { id } => run.withdraw(id),
        Event::Begin { .. } => {}
    }
}
