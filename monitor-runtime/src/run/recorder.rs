//! The recorder: reads the events of all calls, and keeps the runs that they make.
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

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::counting;
use super::event::Event;
use super::growing::{GrowingRun, Room};
use super::history::History;
use super::id::RunId;
use super::lines::{Lines, LogLine};
use super::live;
use super::lone::LoneCalls;
use super::memory::{MemoryPlan, SHARED_RINGS};
use super::remark::Remark;
use super::reply::{Reply, Spent, Sums};
use super::ring::{Pushed, Record, Ring};
use super::state::{Growing, QueuedRemark, State};
use super::store::Store;
use super::tally::Tallies;
use super::tree::Run;
use crate::call::call_id::CallId;
use crate::cells::clock;
use crate::cells::stripes::StripeSlot;
use crate::families::runs;

/// The interval between looks at the rings. A ring that fills wakes the thread earlier.
const LOOK: Duration = Duration::from_millis(100);

/// The bytes of a queued remark besides those on the heap.
const REMARK_BYTES: usize = size_of::<QueuedRemark>();

static RECORDER: OnceLock<Recorder> = OnceLock::new();

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
    plan: MemoryPlan,
    reader: OnceLock<Thread>,
    /// Agent calls outside of any run that had no room.
    lost_runs: AtomicU64,
    /// Records that no shared ring took, and remarks that had no room.
    lost: AtomicU64,
    began: Instant,
    /// The same moment in ticks of the clock.
    began_ticks: u64,
}

#[derive(Default)]
struct Remarks {
    queued: Vec<QueuedRemark>,
    bytes: usize,
}

/// The seconds of the history, and the losses that are counted.
#[derive(Default)]
struct Clock {
    /// The next second to read.
    next: u64,
    lost: [u64; 2],
}

impl Clock {
    /// Returns the number of seconds that had no reading, if a second has begun since the last one.
    fn advance(&mut self, second: u64) -> Option<u64> {
        let skipped = second.checked_sub(self.next)?;
        self.next = second + 1;
        Some(skipped)
    }
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
        Ok(recorder)
    }

    fn new(memory: usize) -> Self {
        let plan = MemoryPlan::new(memory, State::EVENT_BYTES, State::RUN_BYTES);
        Self {
            rings: (0..plan.rings).map(|_| OnceLock::new()).collect(),
            remarks: Mutex::default(),
            spent: Mutex::default(),
            state: Mutex::default(),
            lines: Lines::new(plan.tail, plan.lines),
            lone: LoneCalls::new(plan.lone),
            history: Mutex::new(History::new(plan.history)),
            history_bytes: AtomicUsize::new(0),
            plan,
            reader: OnceLock::new(),
            lost_runs: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            began: Instant::now(),
            began_ticks: clock::now(),
        }
    }

    /// The recorder, if it was started.
    #[inline]
    pub(crate) fn get() -> Option<&'static Self> {
        RECORDER.get()
    }

    pub(crate) fn memory(&self) -> usize {
        self.plan.memory
    }

    /// The most runs that go on at a time.
    pub(super) fn live_runs(&self) -> usize {
        self.plan.live_runs
    }

    /// The nanoseconds from the start of the recorder until this tick of the clock.
    #[inline]
    pub(super) fn nanos_until(&self, ticks: u64) -> u64 {
        clock::clock().delta_as_nanos(self.began_ticks, ticks)
    }

    fn run(&self) {
        let mut clock = Clock::default();
        loop {
            // A subscriber that is told of a budget may panic, which the panic hook has reported. The next turn is as good as any.
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn(&mut clock)));
            // The panic's message may panic as it is dropped.
            turn.err().into_iter().for_each(std::mem::forget);
            std::thread::park_timeout(LOOK);
        }
    }

    fn turn(&self, clock: &mut Clock) {
        let with_details = self.look().with_details();
        for run in with_details {
            queue_remarks(run, counting::look(run));
        }
        let second = self.began.elapsed().as_secs();
        if let Some(skipped) = clock.advance(second) {
            self.tick(skipped, &mut clock.lost);
        }
    }

    /// Reads the registry for the history, and counts what was lost since the last time. `skipped` seconds before this one had no
    /// reading.
    fn tick(&self, skipped: u64, counted: &mut [u64; 2]) {
        let (runs, lost) = {
            let look = self.look();
            (look.store().outcomes(), look.lost())
        };
        let before = std::mem::replace(counted, lost);
        runs::count_lost([0, 1].map(|of| lost[of].saturating_sub(before[of])));
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

    #[inline]
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
    pub(super) fn push(&self, event: Event) -> bool {
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
        Some(self.rings.get(slot)?.get_or_init(|| Ring::new(self.plan.ring_length)))
    }

    #[cold]
    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    /// Pushes a record of a run, and notes in the run if it was lost.
    #[inline]
    pub(super) fn push_of(&self, run: NonZeroU32, event: Event) {
        if !self.push(event) {
            live::lose(run);
        }
    }

    #[cold]
    pub(super) fn lose_run(&self) {
        self.lost_runs.fetch_add(1, Ordering::Relaxed);
    }

    /// Queues a remark about an open call, or about the run of one.
    pub(super) fn push_remark(&self, run: NonZeroU32, call: CallId, remark: Remark) {
        let bytes = remark.heap_bytes() + REMARK_BYTES;
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if remarks.bytes + bytes > self.plan.remarks {
            drop(remarks);
            self.lost.fetch_add(1, Ordering::Relaxed);
            live::lose(run);
            return;
        }
        let was_calm = remarks.bytes < self.plan.remarks / 4;
        remarks.bytes += bytes;
        remarks.queued.push((call, remark));
        let is_filling = was_calm && remarks.bytes >= self.plan.remarks / 4;
        drop(remarks);
        if is_filling {
            self.wake();
        }
    }

    /// Adds the use of a model call to that of its run.
    pub(super) fn spend(&self, run: NonZeroU32, reply: &Reply) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).add(run, reply);
    }

    /// Returns the use of all model calls of a run that goes on.
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
        let plan = self.plan.less(self.others());
        let mut events = std::mem::take(&mut state.events);
        // Exactly, since a vector that doubles would take more than is reserved.
        events.reserve_exact(self.plan.rings * self.plan.ring_length + state.early.len());
        events.extend(state.early.drain(..).map(|event| (event, true)));
        for ring in self.rings.iter().filter_map(OnceLock::get) {
            ring.drain(|record| events.extend(Event::decode(record).map(|event| (event, false))));
        }
        let lost_runs = state.apply(&mut events, remarks, &plan);
        events.clear();
        state.events = events;
        state.add_lines(lines, &plan);
        self.lost_runs.fetch_add(lost_runs, Ordering::Relaxed);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let spent_bytes = spent.retain(|run| live::find(run).is_some());
        drop(spent);
        state.aside_bytes = spent_bytes + state.details_bytes();
        state.finish(self.began.elapsed(), &plan);
        live::set_room(plan.room(state.growing_bytes()) != Room::None);
        let counted = Tallies(std::mem::take(&mut state.tallies));
        Look { recorder: self, state, trees: plan.trees, _counted: counted }
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

    /// The number of runs that go on, of an agent or of all.
    #[cfg(feature = "http")]
    pub(crate) fn count_running(&self, agent: Option<&str>) -> usize {
        self.growing().filter(|run| agent.is_none_or(|agent| run.agent() == agent)).count()
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
        let Recorder { plan, .. } = self.recorder;
        let counts = self.state.store.counts();
        let [lost, lost_events] = self.lost();
        Figures {
            running: self.growing().count(),
            kept: self.state.store.len(),
            ended: counts.ended,
            evicted: counts.evicted,
            lost,
            lost_events,
            bytes: plan.memory - self.trees + self.state.growing_bytes + self.state.store.bytes(),
            memory: plan.memory,
        }
    }
}

/// Queues remarks, if there is a recorder.
pub(super) fn queue_remarks(run: NonZeroU32, remarks: Vec<(CallId, Remark)>) {
    if let Some(recorder) = RECORDER.get() {
        for (call, remark) in remarks {
            recorder.push_remark(run, call, remark);
        }
    }
}
