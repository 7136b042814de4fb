//! The recorder: observes every call, and builds the trees of runs.
//!
//! ```text
//! a call's thread          the thread `monitor-runs`, and every reader
//! ───────────────          ───────────────────────────────────────────
//! begin, end ──► ring of the thread's stripe ──┐
//! remark ──────► remarks, bounded by bytes ────┼─► runs that go on ──► store of kept runs
//! log line ────► lines, bounded by bytes ──────┘
//! ```
//!
//! Once a second the thread also reads the registry for the history.

use std::cell::Cell;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use tracing::Span;

use super::counting;
use super::event::Event;
use super::growing::{Begin, End, GrowingRun, Room};
use super::history::History;
use super::id::RunId;
use super::lines::{Line, Lines, LogLine};
use super::live;
use super::lone::LoneCalls;
use super::remark::Remark;
use super::reply::{Reply, Spent, Sums};
use super::ring::{Pushed, Record, Ring};
use super::store::Store;
use super::tally::{Tallies, Tally};
use super::text::{content_text, error_text};
use super::tree::Run;
use crate::call::Content;
use crate::call::call_id::{CallId, UNRECORDED};
use crate::call::observer::{self, CallBegun, CallEnded, FirstItem, ModelReplied, Observer};
use crate::cells::clock;
use crate::cells::exemplars::Identity;
use crate::cells::stripes::{self, StripeSlot};
use crate::error_chain::ErrorText;
use crate::families::Outcome;
use crate::families::calls::CallKind;

/// The interval between looks at the rings. A ring that fills wakes the thread earlier.
const LOOK: Duration = Duration::from_millis(100);

/// The numbers that a thread takes at once for its calls.
const BLOCK: u32 = 1_024;

/// Rings of threads that have no stripe of their own. A thread that finds one in use tries the next.
const SHARED_RINGS: usize = 8;

/// The bytes of a queued remark besides those on the heap.
const REMARK_BYTES: usize = size_of::<QueuedRemark>();

/// The slots of runs if budgets are used without a recorder.
const RUNS_WITH_BUDGET: usize = 4_096;

static RECORDER: OnceLock<Recorder> = OnceLock::new();

thread_local! {
    /// The next number for a call of this thread. At a multiple of [`BLOCK`] the thread takes a new block.
    static NEXT_NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// The recorder of the process.
pub(crate) struct Recorder {
    /// By number of the leased stripe; the shared ones are last.
    rings: Box<[OnceLock<Ring>]>,
    remarks: Mutex<Remarks>,
    spent: Mutex<Spent>,
    state: Mutex<State>,
    lines: Lines,
    lone: LoneCalls,
    history: Mutex<History>,
    /// The bytes of the history.
    history_bytes: AtomicUsize,
    budget: Budget,
    reader: OnceLock<Thread>,
    /// Agent calls outside of any run that had no room.
    lost_runs: AtomicU64,
    /// Records that no shared ring took, and remarks that had no room.
    lost: AtomicU64,
    began: Instant,
    /// The same moment in ticks of the clock.
    began_ticks: u64,
}

/// The bytes and sizes of everything that is kept, which follow from the memory that is set.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// The ceiling, as set.
    memory: usize,
    rings: usize,
    ring_length: usize,
    live_runs: usize,
    /// For remarks between two looks.
    remarks: usize,
    /// For log lines of runs between two looks.
    lines: usize,
    /// For the tail of all log lines, once there is one.
    tail: usize,
    /// At most, for samples of lone calls.
    lone: usize,
    /// At most, for the history.
    history: usize,
    /// For trees, and for the tail, the samples and the history.
    trees: usize,
}

impl Budget {
    fn new(memory: usize) -> Self {
        let rings = stripes::leased() + SHARED_RINGS;
        // Rings take at most an eighth. As many events may be read at once, and as many be early.
        let fitting = (memory / 8 / rings / size_of::<Record>()).clamp(64, 4_096);
        let ring_length = 1 << fitting.ilog2();
        let live_runs = 1 << (memory / 2_048).clamp(256, 8_192).ilog2();
        let remarks = (memory / 32).min(256 << 10);
        let lines = (memory / 32).min(256 << 10);
        let (tail, lone, history) = ((memory / 8).min(2 << 20), memory / 32, memory / 8);
        let records = rings * ring_length;
        let fixed = records * (size_of::<Record>() + size_of::<Read>() + size_of::<Event>())
            // Besides the slot, the entry of a run that is not kept.
            + live_runs * (live::SLOT_BYTES + 2 * size_of::<(NonZeroU32, Growing)>())
            // Those queued, and those being read.
            + 2 * (remarks + lines);
        let trees = memory.saturating_sub(fixed);
        Self { memory, rings, ring_length, live_runs, remarks, lines, tail, lone, history, trees }
    }

    /// The budget if other things than trees take these bytes.
    fn less(self, others: usize) -> Self {
        Self { trees: self.trees.saturating_sub(others), ..self }
    }

    /// The room that is left if the runs that go on take these bytes.
    fn room(&self, growing: usize) -> Room {
        if growing < self.trees / 2 {
            Room::Enough
        } else if growing < self.trees / 4 * 3 {
            Room::Sums
        } else {
            Room::None
        }
    }
}

type QueuedRemark = (CallId, Remark);

/// An event, and whether an earlier look read it already.
type Read = (Event, bool);

/// Takes the place of a begin that has been put into its tree.
const DONE: Event = Event::Judged { id: CallId::NONE };

#[derive(Default)]
struct Remarks {
    queued: Vec<QueuedRemark>,
    bytes: usize,
}

/// Everything that a look changes.
#[derive(Default)]
struct State {
    growing: HashMap<NonZeroU32, Growing, RandomState>,
    /// The bytes of all runs that go on, and of what they have spent.
    growing_bytes: usize,
    store: Store,
    /// The buffer of the events that a look reads, which stays allocated.
    events: Vec<Read>,
    /// Events that were read before the begin of their call or parent. That begin was pushed before them, so the next look
    /// reads it, unless it was lost.
    early: Vec<Event>,
    early_remarks: Vec<QueuedRemark>,
    early_lines: Vec<Arc<LogLine>>,
    /// The bytes that are kept of runs that go on beside their trees: what they have spent, and their details.
    aside_bytes: usize,
    /// What a look counts once it is dropped.
    tallies: Vec<Tally>,
}

enum Growing {
    Run(Box<GrowingRun>),
    /// It began while there was no room. Its events are dropped.
    Refused(NonZeroU32),
}

/// The numbers of what the recorder keeps and has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) running: usize,
    pub(crate) kept: usize,
    pub(crate) ended: u64,
    pub(crate) evicted: u64,
    /// Runs that had no room from their begin on.
    pub(crate) lost: u64,
    pub(crate) lost_events: u64,
    pub(crate) bytes: usize,
    pub(crate) memory: usize,
}

impl Recorder {
    /// The least memory with which a recorder is of use.
    pub(crate) const LEAST_MEMORY: usize = 2 << 20;

    /// Starts the recorder, or finds the one that runs.
    ///
    /// # Errors
    ///
    /// If its thread cannot be started.
    pub(crate) fn start(memory: usize) -> std::io::Result<&'static Self> {
        static STARTING: Mutex<()> = Mutex::new(());
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recorder) = RECORDER.get() {
            return Ok(recorder);
        }
        let (started, is_started) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("monitor-runs".to_owned()).spawn(move || {
            // An error means that the start was given up.
            if is_started.recv().is_ok() {
                Self::get().into_iter().for_each(Self::run);
            }
        })?;
        let recorder = RECORDER.get_or_init(|| Self::new(memory));
        let _ = recorder.reader.set(thread.thread().clone());
        let _ = started.send(());
        follow(recorder.budget.live_runs);
        Ok(recorder)
    }

    fn new(memory: usize) -> Self {
        let budget = Budget::new(memory);
        Self {
            rings: (0..budget.rings).map(|_| OnceLock::new()).collect(),
            remarks: Mutex::default(),
            spent: Mutex::default(),
            state: Mutex::default(),
            lines: Lines::new(budget.tail, budget.lines),
            lone: LoneCalls::new(budget.lone),
            history: Mutex::new(History::new(budget.history)),
            history_bytes: AtomicUsize::new(0),
            budget,
            reader: OnceLock::new(),
            lost_runs: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            began: Instant::now(),
            began_ticks: clock::now(),
        }
    }

    /// The recorder, if it was started.
    pub(crate) fn get() -> Option<&'static Self> {
        RECORDER.get()
    }

    pub(crate) fn memory(&self) -> usize {
        self.budget.memory
    }

    fn run(&self) {
        let mut ticks = 0;
        self.tick(0);
        loop {
            std::thread::park_timeout(LOOK);
            let with_details = self.look().with_details();
            for run in with_details {
                push_remarks(run, counting::look(run));
            }
            let second = self.began.elapsed().as_secs();
            if second > ticks {
                self.tick(second - ticks - 1);
                ticks = second;
            }
        }
    }

    /// Reads the registry for the history. `skipped` seconds before this one had no reading.
    fn tick(&self, skipped: u64) {
        let (runs, lost) = {
            let look = self.look();
            (look.store().outcomes(), look.lost())
        };
        let mut history = self.history();
        history.tick(skipped, runs, lost);
        self.history_bytes.store(history.bytes(), Ordering::Relaxed);
    }

    /// The history. The recorder's thread waits while it is read.
    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn lone(&self) -> &LoneCalls {
        &self.lone
    }

    /// Keeps a log line.
    pub(crate) fn keep_line(&self, line: LogLine) {
        if self.lines.keep(line) {
            self.wake();
        }
    }

    /// The bytes of everything besides rings and trees.
    fn others(&self) -> usize {
        self.lines.reserved() + self.lone.bytes() + self.history_bytes.load(Ordering::Relaxed)
    }

    /// Pushes the record of an event. Returns `false` if it was lost.
    #[inline]
    fn push(&self, event: Event) -> bool {
        let record = event.encode();
        let pushed = match StripeSlot::of_this_thread() {
            StripeSlot::Leased(stripe) => self.ring(stripe).map(|ring| ring.push(&record)),
            StripeSlot::Shared(turn) => self.push_shared(turn, &record),
        };
        match pushed {
            Some(Pushed::Calm) => true,
            Some(Pushed::Filling) => {
                self.wake();
                true
            }
            Some(Pushed::Lost) => false,
            None => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    /// Pushes into the first shared ring that no other thread is using.
    fn push_shared(&self, turn: usize, record: &Record) -> Option<Pushed> {
        let first = self.rings.len() - SHARED_RINGS;
        (turn..turn + SHARED_RINGS).find_map(|turn| self.ring(first + turn % SHARED_RINGS)?.try_push(record))
    }

    #[inline]
    fn ring(&self, slot: usize) -> Option<&Ring> {
        Some(self.rings.get(slot)?.get_or_init(|| Ring::new(self.budget.ring_length)))
    }

    #[cold]
    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    /// Pushes a record of a run, and notes in the run if it was lost.
    #[inline]
    fn push_of(&self, run: NonZeroU32, event: Event) {
        if !self.push(event) {
            live::lose(run);
        }
    }

    #[cold]
    fn lose_run(&self) {
        self.lost_runs.fetch_add(1, Ordering::Relaxed);
    }

    /// Queues a remark about an open call, or about the run of one.
    pub(super) fn push_remark(&self, run: NonZeroU32, call: CallId, remark: Remark) {
        let bytes = remark.heap_bytes() + REMARK_BYTES;
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if remarks.bytes + bytes > self.budget.remarks {
            drop(remarks);
            self.lost.fetch_add(1, Ordering::Relaxed);
            live::lose(run);
            return;
        }
        let was_calm = remarks.bytes < self.budget.remarks / 4;
        remarks.bytes += bytes;
        remarks.queued.push((call, remark));
        let is_filling = was_calm && remarks.bytes >= self.budget.remarks / 4;
        drop(remarks);
        if is_filling {
            self.wake();
        }
    }

    /// What the model calls of a run that goes on have used so far.
    pub(super) fn spent(&self, run: NonZeroU32) -> Sums {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).of(run)
    }

    /// The state with every event that happened before this call, and with the end of every run that was over by then.
    pub(crate) fn settle(&self) -> Look<'_> {
        // The first look closes a run without open calls, and the second reads its last events.
        drop(self.look());
        self.look()
    }

    /// Reads all records, and moves the runs that are over to the store.
    pub(crate) fn look(&self) -> Look<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Remarks and lines first: the begins of their calls are in the rings by then.
        let remarks =
            std::mem::take(&mut *self.remarks.lock().unwrap_or_else(PoisonError::into_inner)).queued;
        let lines = self.lines.take();
        let budget = self.budget.less(self.others());
        let mut events = std::mem::take(&mut state.events);
        // Exactly, since a vector that doubles would take more than is reserved.
        events.reserve_exact(self.budget.rings * self.budget.ring_length + state.early.len());
        events.extend(state.early.drain(..).map(|event| (event, true)));
        for ring in self.rings.iter().filter_map(OnceLock::get) {
            ring.drain(|record| events.extend(Event::decode(record).map(|event| (event, false))));
        }
        let lost_runs = state.apply(&mut events, remarks, &budget);
        events.clear();
        state.events = events;
        state.add_lines(lines, &budget);
        self.lost_runs.fetch_add(lost_runs, Ordering::Relaxed);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let spent_bytes = spent.retain(|run| live::find(run).is_some());
        drop(spent);
        state.aside_bytes = spent_bytes + state.details_bytes();
        state.finish(self.began.elapsed(), &budget);
        let counted = Tallies(std::mem::take(&mut state.tallies));
        Look { recorder: self, state, trees: budget.trees, _counted: counted }
    }
}

/// The state right after a look. The recorder reads nothing further until this is dropped.
pub(crate) struct Look<'r> {
    recorder: &'r Recorder,
    state: MutexGuard<'r, State>,
    /// The room for trees.
    trees: usize,
    /// Behind the lock, since fields are dropped in their order.
    _counted: Tallies,
}

impl Look<'_> {
    fn growing(&self) -> impl Iterator<Item = &GrowingRun> {
        self.state.growing.values().filter_map(|growing| match growing {
            Growing::Run(run) => Some(&**run),
            Growing::Refused(_) => None,
        })
    }

    /// The runs that go on, the oldest first; at most this many.
    pub(crate) fn running(&self, most: usize) -> Vec<Run> {
        let mut running: Vec<_> = self.growing().collect();
        running.sort_unstable_by_key(|run| run.ticks());
        running.into_iter().take(most).map(GrowingRun::snapshot).collect()
    }

    /// Shows the runs that go on, the oldest first, of an agent or of all, until one is enough. Each is copied on its own, since
    /// all trees together may be large.
    #[cfg(feature = "http")]
    pub(crate) fn each_running(&self, agent: Option<&str>, mut is_enough: impl FnMut(Run) -> bool) {
        let mut running: Vec<_> =
            self.growing().filter(|run| agent.is_none_or(|agent| run.agent() == agent)).collect();
        running.sort_unstable_by_key(|run| run.ticks());
        running.into_iter().any(|run| is_enough(run.snapshot()));
    }

    /// The runs of this id that go on, the oldest first.
    pub(crate) fn running_of(&self, id: RunId) -> Vec<Run> {
        let mut running: Vec<_> =
            self.growing().filter(|run| run.id() == id).map(GrowingRun::snapshot).collect();
        running.sort_unstable_by_key(|run| run.ticks);
        running
    }

    /// The recorded runs that go on and have details.
    fn with_details(&self) -> Vec<NonZeroU32> {
        self.state.growing.keys().copied().filter(|run| live::has_details(*run)).collect()
    }

    /// The number of calls around the code of a call, its own included. `None` if its run is not recorded.
    pub(crate) fn depth(&self, call: CallId) -> Option<usize> {
        match self.state.growing.get(&call.run()?)? {
            Growing::Run(run) => run.depth(call),
            Growing::Refused(_) => None,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.state.store
    }

    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.state.store
    }

    /// The runs and the events that were not recorded.
    pub(crate) fn lost(&self) -> [u64; 2] {
        let Recorder { rings, lost_runs, lost, .. } = self.recorder;
        let without_room: u64 = rings.iter().filter_map(OnceLock::get).map(Ring::lost).sum();
        [lost_runs.load(Ordering::Relaxed), without_room + lost.load(Ordering::Relaxed)]
    }

    pub(crate) fn figures(&self) -> Figures {
        let Recorder { budget, .. } = self.recorder;
        let counts = self.state.store.counts();
        let [lost, lost_events] = self.lost();
        Figures {
            running: self.growing().count(),
            kept: self.state.store.len(),
            ended: counts.ended,
            evicted: counts.evicted,
            lost,
            lost_events,
            bytes: budget.memory - self.trees + self.state.growing_bytes + self.state.store.bytes(),
            memory: budget.memory,
        }
    }
}

impl State {
    /// Puts events into their trees. Returns the number of runs that had no room.
    fn apply(&mut self, events: &mut [Read], remarks: Vec<QueuedRemark>, budget: &Budget) -> u64 {
        // Begins first. That of the enclosing call is earlier, whichever ring it came through.
        events.sort_unstable_by_key(|(event, _)| event.order());
        let begins = events.partition_point(|(event, _)| event.begin().is_some());
        let (begins, others) = events.split_at_mut(begins);
        let mut refused = 0;
        // A second time for calls that began in the same tick as their parent.
        for _ in 0..2 {
            for (event, _) in &mut *begins {
                if event.begin().is_some_and(|begin| self.begin(&begin, budget, &mut refused)) {
                    *event = DONE;
                }
            }
        }
        for (event, is_second) in &*begins {
            let Some(begin) = event.begin() else { continue };
            match begin.id.run().and_then(|run| self.growing.get(&run)) {
                Some(Growing::Run(run)) if *is_second || run.is_closing() => self.add(&begin, budget),
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
            self.remark(call, remark, budget);
        }
        for (call, remark) in remarks {
            // A copy: what a thread allocates and another keeps would stop the allocator from giving back the rest.
            if !self.remark(call, remark.clone(), budget) {
                self.early_remarks.push((call, remark));
            }
        }
        refused
    }

    /// Puts a remark into its run. Returns `false` if the begin of its call is not known.
    fn remark(&mut self, call: CallId, remark: Remark, budget: &Budget) -> bool {
        let (mut tally, room) = (None, budget.room(self.growing_bytes));
        let is_known = self.change(call, |run| tally = run.remark(call, remark, room));
        self.tallies.extend(tally);
        is_known
    }

    /// The bytes of the details of runs that go on.
    fn details_bytes(&self) -> usize {
        let runs = self.growing.keys();
        runs.filter_map(|run| live::with_details(*run, |details| details.bytes())).sum()
    }

    /// Puts log lines into their runs.
    fn add_lines(&mut self, lines: Vec<Arc<LogLine>>, budget: &Budget) {
        for line in std::mem::take(&mut self.early_lines) {
            self.add_line(&line, budget);
        }
        for line in lines {
            if !self.add_line(&line, budget) {
                self.early_lines.push(line);
            }
        }
    }

    /// Puts a log line into its run. Returns `false` if the begin of its call is not known.
    fn add_line(&mut self, line: &Arc<LogLine>, budget: &Budget) -> bool {
        let room = budget.room(self.growing_bytes);
        let call = line.call();
        self.change(call, |run| {
            run.add_line(Line { node: run.node_at(call), line: Arc::clone(line) }, room);
        })
    }

    /// Puts in the begin of a call. Returns `false` if its parent is not known.
    fn begin(&mut self, begin: &Begin, budget: &Budget, refused: &mut u64) -> bool {
        let Some(number) = begin.id.run() else { return true };
        match self.growing.get(&number) {
            Some(Growing::Run(run)) if run.knows(begin.parent) => self.add(begin, budget),
            Some(Growing::Refused(_)) => {}
            None if begin.parent.run() == Some(number) => return false,
            Some(Growing::Run(_)) => return false,
            None if budget.room(self.growing_bytes) == Room::None => {
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

    fn add(&mut self, begin: &Begin, budget: &Budget) {
        let room = budget.room(self.growing_bytes);
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
    fn finish(&mut self, at: Duration, budget: &Budget) {
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
        let room = budget.trees.saturating_sub(self.growing_bytes);
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
        Event::Begin { .. } => {}
    }
}

/// Has calls followed from now on.
///
/// A recorder follows all of them. Without one, only those inside an agent with a budget are, and nothing is recorded.
pub(super) fn follow(runs: usize) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        live::prepare(runs);
        observer::install(&Follower);
    });
}

/// Has the calls inside agents with a budget counted from now on.
pub(super) fn follow_budgets() {
    follow(RUNS_WITH_BUDGET);
}

/// The recorder as an observer.
struct Follower;

impl Observer for Follower {
    fn call_begun(&self, call: &CallBegun<'_>) -> Option<CallId> {
        let recorder = RECORDER.get();
        let CallBegun { kind, parent, budget, arguments, .. } = *call;
        let number = next_number();
        if parent.is_unrecorded() {
            return Some(CallId::followed(UNRECORDED, number));
        }
        // Once its run is over, an agent call that was carried out of it begins another.
        if let Some((run, has_details)) = parent.run().and_then(|run| Some((run, live::join(run, kind)?))) {
            let id = CallId::followed(run.get(), number);
            if let Some(recorder) = recorder {
                recorder.push_of(run, begin_of(call, id));
            }
            if has_details || budget.is_some() || arguments.is_some() {
                push_remarks(run, counting::begin(run, id, call, false));
            }
            return Some(id);
        }
        if kind == CallKind::Agent && (recorder.is_some() || budget.is_some()) {
            return Some(begin_run(recorder, call, number));
        }
        recorder.map(|_| CallId::followed(0, number))
    }

    fn first_item_yielded(&self, item: &FirstItem<'_>) {
        let FirstItem { id, nanos, .. } = *item;
        if let (Some(run), Some(recorder)) = (id.run(), RECORDER.get()) {
            recorder.push_of(run, Event::FirstItem { id, nanos });
        }
    }

    fn model_replied(&self, replied: &ModelReplied<'_>) {
        let (call, ended) = (replied.id, replied.ended);
        let Some(run) = call.run() else { return };
        if let Some(recorder) = RECORDER.get() {
            let reply = Box::new(Reply::new(ended));
            recorder.spent.lock().unwrap_or_else(PoisonError::into_inner).add(run, &reply);
            recorder.push_remark(run, call, Remark::Reply(reply));
        }
        if live::has_details(run) {
            push_remarks(run, counting::model_ended(run, call, ended));
        }
    }

    fn call_ended(&self, call: &CallEnded<'_>) {
        let CallEnded { id, started, nanos, waited, items, outcome, series, .. } = *call;
        let recorder = RECORDER.get();
        let Some(run) = id.run() else {
            let is_lone = id.is_followed() && !id.is_unrecorded();
            if let Some(recorder) = recorder.filter(|_| is_lone) {
                // The clock has just been read, and each reading is a good part of a call.
                let began = clock::clock().delta_as_nanos(recorder.began_ticks, started);
                recorder.lone.offer(id, series, outcome, nanos, began.saturating_add(nanos));
            }
            return;
        };
        if let Some(recorder) = recorder {
            recorder.push_of(run, Event::End { id, nanos, waited, items, outcome });
        }
        if live::has_details(run) {
            push_remarks(run, counting::end(run, id, outcome));
        }
        if outcome != Outcome::Error {
            live::leave(run);
        }
    }

    fn call_concluded(&self, id: CallId) {
        if let Some(run) = id.run() {
            live::leave(run);
        }
    }

    fn identify_run(&self, call: CallId) -> Option<Identity> {
        RECORDER.get()?;
        Identity::new("run_id", &RunId::of_call(call)?.to_string())
    }

    fn wants_content(&self) -> bool {
        RECORDER.get().is_some()
    }

    fn content_recorded(&self, call: CallId, content: &Content) {
        if let (Some(run), Some(recorder)) = (call.run(), RECORDER.get()) {
            let text = content_text(content);
            recorder.push_remark(run, call, Remark::Content(Content { name: content.name, text }));
        }
    }

    fn wants_error(&self, call: CallId, _: Option<&Span>) -> bool {
        RECORDER.get().is_some() && (call.run().is_some() || LoneCalls::wants_error(call))
    }

    fn call_failed(&self, call: CallId, _: Option<&Span>, error: &ErrorText) {
        let Some(recorder) = RECORDER.get() else { return };
        match call.run() {
            Some(run) => {
                recorder.push_remark(run, call, Remark::Error(error_text(&error.whole)));
            }
            None if LoneCalls::wants_error(call) => recorder.lone.fail(call, &error.whole),
            None => {}
        }
    }

    fn call_judged(&self, id: CallId) {
        if let (Some(run), Some(recorder)) = (id.run(), RECORDER.get()) {
            recorder.push_of(run, Event::Judged { id });
        }
    }

    fn request_routed(&self, _: &Span, _: &str, _: &str) {}

    fn request_ended(&self, _: Option<&Span>, _: u16, _: u64) {}
}

fn begin_of(call: &CallBegun<'_>, id: CallId) -> Event {
    let CallBegun { kind, started: ticks, parent, series, .. } = *call;
    Event::Begin { id, parent, ticks, kind, series: series.number() }
}

/// Begins a run with its outermost call. Without a recorder, or if that has no room, it is one whose calls are only counted.
fn begin_run(recorder: Option<&Recorder>, call: &CallBegun<'_>, number: u32) -> CallId {
    let trace = observer::trace(call.span);
    if let Some(run) = live::begin(call.series.number(), call.started, trace, recorder.is_some()) {
        let id = CallId::followed(run.get(), number);
        let is_recorded = recorder.is_some_and(|recorder| recorder.push(begin_of(call, id)));
        if call.budget.is_some() {
            push_remarks(run, counting::begin(run, id, call, true));
        }
        if is_recorded {
            return id;
        }
        recorder.into_iter().for_each(Recorder::lose_run);
        if call.budget.is_some() {
            live::leave_unrecorded(run);
            return id;
        }
        live::give_back(run);
    } else {
        recorder.into_iter().for_each(Recorder::lose_run);
    }
    CallId::followed(UNRECORDED, number)
}

/// Queues remarks, if there is a recorder.
pub(super) fn push_remarks(run: NonZeroU32, remarks: Vec<(CallId, Remark)>) {
    if let Some(recorder) = RECORDER.get() {
        for (call, remark) in remarks {
            recorder.push_remark(run, call, remark);
        }
    }
}

/// A number that no other call of the process has at the same time.
#[inline]
fn next_number() -> u32 {
    static NEXT_BLOCK: AtomicU32 = AtomicU32::new(BLOCK);
    let mut number = NEXT_NUMBER.get();
    if number % BLOCK == 0 {
        number = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
    }
    NEXT_NUMBER.set(number.wrapping_add(1));
    number
}
