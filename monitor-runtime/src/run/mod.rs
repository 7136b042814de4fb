//! Runs: the tree of all calls inside an agent call, during the call and after its end.
//!
//! A *run* is a tracked agent call outside of any tracked agent call. Every tracked call inside it is a node of its tree,
//! on every thread and task that the context was carried to. The recorder is off until it is started:
//!
//! ```
//! use monitor_runtime::{run, track_agent, track_skill};
//!
//! #[track_skill]
//! fn search(query: &str) -> Result<usize, String> {
//!     if query.is_empty() { Err("empty query".to_owned()) } else { Ok(3) }
//! }
//!
//! #[track_agent("librarian")]
//! fn look_up(query: &str) -> Option<usize> {
//!     search("").or_else(|_| search(query)).ok()
//! }
//!
//! let runs = run::builder().start()?;
//! look_up("tea");
//! let newest = &runs.newest()[0];
//! let tree = "librarian ✓\n├─ skill search ✗ empty query\n└─ skill search ✓ attempt 2";
//! assert_eq!(newest.to_string(), tree);
//! # Ok::<(), run::RunsError>(())
//! ```
//!
//! # What is kept
//!
//! The runs of each agent are kept by outcome:
//!
//! * the newest 50;
//! * 20 each that ended as `error`, `panic` and `cancelled`;
//! * 10 that succeeded although a call inside failed;
//! * 10 of each decade of durations (under 10 ms, under 100 ms, … from 1,000 s on), which ended at least a second apart;
//! * a random sample of 10;
//! * the 10 dearest and the 10 with the most tokens; one that ended more than an hour ago gives way to any newer one;
//! * 20 [pinned](Runs::pin) ones.
//!
//! A run in several of these classes is kept once.
//! If all runs together take more than the [memory](RunsBuilder::memory), those in the fewest classes are evicted first.
//! Pinned runs and the last failed run of each agent are evicted last.
//!
//! A run has at most 2,000 nodes. Further calls are summed by parent and name, so totals stay exact.
//!
//! Arguments and results are not kept, but those that the option `record(…)` of an attribute names. The text of an error is
//! kept, cut after 1,024 bytes, and so are log lines, as the output of [`logging`](crate::logging) had them: after its
//! redaction. The text of an error passes the rules for the field `error`.
//!
//! # Code inside a run
//!
//! [`current`] tells of the run around it, and [`tag`], [`note`] and [`retry`] add to its tree. Outside of a run, and without a
//! recorder, they do nothing. [`check_budget`] stops an agent that has used up its `budget`, with a recorder or without one.

mod budget;
mod counting;
mod details;
mod event;
mod follower;
mod growing;
mod history;
mod id;
mod lines;
mod live;
mod lone;
mod memory;
mod recorder;
mod remark;
mod repeats;
mod reply;
mod ring;
mod said;
mod state;
mod store;
mod tally;
mod text;
mod tree;
mod tree_text;

use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "http")]
use std::time::SystemTime;

pub use budget::{BudgetExceeded, BudgetLimit};
#[cfg(feature = "http")]
pub(crate) use history::{Faults, Overall, Point, Points, Recent, RecentModel, SERIES};
pub use id::{ParseRunIdError, RunId};
pub use lines::Line;
pub(crate) use lines::LogLine;
#[cfg(feature = "http")]
pub(crate) use lone::LoneCall;
pub use said::Note;
#[cfg(feature = "http")]
pub(crate) use store::KeptRun;
#[cfg(feature = "logging")]
pub(crate) use text::TextRule;
pub use tree::{ModelCall, Node, RolledUp, Run};

use crate::call::bounded;
use crate::call::call_id::CallId;
use crate::cells::clock;
use crate::error_chain::debug_as_text;
#[cfg(feature = "http")]
use crate::families::CallKind;
use crate::families::Outcome;
use crate::families::call_series::CallSeries;
#[cfg(feature = "http")]
use crate::families::readings::{CountedKind, Reading};
use crate::usage::{CostSum, UsageSum};
use recorder::Recorder;
use remark::Remark;
use reply::Sums;
use store::Class;

/// The memory of a recorder in bytes, unless set.
const DEFAULT_MEMORY: usize = 16 << 20;

/// Returns the settings of the recorder of runs, to be changed and started.
pub fn builder() -> RunsBuilder {
    RunsBuilder { memory: DEFAULT_MEMORY }
}

/// The settings of the recorder, made by [`builder`].
#[derive(Clone, Debug)]
#[must_use = "the recorder is started by `start`"]
pub struct RunsBuilder {
    memory: usize,
}

/// The error of a recorder that cannot be started.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// The memory is too small to be of use.
    #[error("the recorder of runs was given {given} bytes; give it at least {least}")]
    TooLittleMemory {
        /// The memory that was given, in bytes.
        given: usize,
        /// The least that is accepted, in bytes.
        least: usize,
    },
    /// The recorder was started before, with another memory.
    #[error(
        "the recorder of runs was started with {in_use} bytes and cannot be given {given}; start it once, or with equal settings"
    )]
    AlreadyStarted {
        /// The memory that was given, in bytes.
        given: usize,
        /// The memory that it has, in bytes.
        in_use: usize,
    },
    /// The thread of the recorder cannot be started.
    #[error("the thread of the recorder of runs cannot be started")]
    Thread(#[source] std::io::Error),
}

debug_as_text!(RunsError);

impl RunsBuilder {
    /// Sets the maximum memory of everything that the recorder keeps, in bytes. The default is 16 MiB, the minimum 2 MiB.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Starts the recorder and its thread `monitor-runs` for the rest of the process.
    ///
    /// Agent calls that began before are not recorded.
    /// A second start with equal settings returns the recorder of the first.
    /// A recorded call takes no lock and allocates nothing, unless it fails, is of a model, or is the first of its thread.
    ///
    /// # Errors
    ///
    /// If the memory is too small, if the recorder was started with another memory, or if its thread cannot be started.
    pub fn start(self) -> Result<Runs, RunsError> {
        let (given, least) = (self.memory, Recorder::LEAST_MEMORY);
        if given < least {
            return Err(RunsError::TooLittleMemory { given, least });
        }
        let recorder = Recorder::start(given).map_err(RunsError::Thread)?;
        follower::follow(recorder.live_runs());
        if recorder.memory() != given {
            return Err(RunsError::AlreadyStarted { given, in_use: recorder.memory() });
        }
        Ok(Runs(recorder))
    }
}

/// The recorded runs of the process.
///
/// Every method includes all events before its call.
#[derive(Clone, Copy)]
pub struct Runs(&'static Recorder);

/// The counts of kept, evicted and lost runs, and their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFigures {
    /// Runs that go on.
    pub running: usize,
    /// Runs that are kept after their end.
    pub kept: usize,
    /// Runs that ended. Each is kept or evicted.
    pub ended: u64,
    /// Runs that ended and are no longer kept.
    pub evicted: u64,
    /// Runs that were not recorded, since too many went on at once or their memory was used up.
    pub lost: u64,
    /// Begins, ends, errors and replies of calls that were not recorded, since too many came at once.
    pub lost_events: u64,
    /// The bytes in use, including the room that is reserved for events.
    pub bytes: usize,
    /// The maximum of these bytes, as set by [`RunsBuilder::memory`].
    pub memory: usize,
}

impl Runs {
    /// Returns at most this many runs that go on, the oldest first, and the number of those left out.
    #[cfg(feature = "http")]
    pub(crate) fn running_at_most(self, most: usize) -> (Vec<Run>, usize) {
        let look = self.0.settle();
        let running = look.running(most);
        let left_out = look.figures().running - running.len();
        (running, left_out)
    }

    /// Shows the runs that go on, the oldest first, of an agent or of all, until one is enough. The recorder waits meanwhile.
    #[cfg(feature = "http")]
    pub(crate) fn each_running(self, agent: Option<&str>, is_enough: impl FnMut(Run) -> bool) {
        self.0.settle().each_running(agent, is_enough);
    }

    /// Returns the number of runs of an agent that go on, or of all.
    #[cfg(feature = "http")]
    pub(crate) fn count_running(self, agent: Option<&str>) -> usize {
        self.0.look().count_running(agent)
    }

    /// Returns every kept run, the last one to end first, and the number of runs that ended.
    #[cfg(feature = "http")]
    pub(crate) fn kept(self) -> (Vec<KeptRun>, u64) {
        let look = self.0.settle();
        (look.store().all(), look.store().counts().ended)
    }

    /// Returns the kept runs of this id, and those that go on.
    #[cfg(feature = "http")]
    pub(crate) fn of_id(self, id: RunId) -> (Vec<KeptRun>, Vec<Run>) {
        let look = self.0.settle();
        (look.store().of_id(id), look.running_of(id))
    }

    /// Returns the end of the oldest kept run.
    #[cfg(feature = "http")]
    pub(crate) fn oldest_end(self) -> Option<SystemTime> {
        let look = self.0.look();
        let oldest = look.store().oldest()?;
        Some(oldest.started() + oldest.duration())
    }

    /// Returns the number of runs of each of these agents that ended, and what they used.
    #[cfg(feature = "http")]
    pub(crate) fn used_by<'a>(
        self,
        agents: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Option<(u64, UsageSum, CostSum)>> {
        let look = self.0.look();
        let used = agents.into_iter().map(|agent| look.store().used_by(agent));
        used.map(|used| used.map(|(runs, sums)| (runs, sums.usage, sums.cost))).collect()
    }

    /// Returns the points of the last seconds.
    #[cfg(feature = "http")]
    pub(crate) fn points(self, seconds: u64) -> Points {
        self.0.history().points(seconds)
    }

    /// Reads every id of a kind, with what it did in the last minutes, if that is kept.
    #[cfg(feature = "http")]
    pub(crate) fn each_id(self, kind: CountedKind, mut look: impl FnMut(&Reading<'_>, Option<Recent>)) {
        kind.each(&mut |reading| {
            let recent = self.0.history().recent(kind, reading);
            look(reading, recent);
        });
    }

    /// Returns what all agents did together.
    #[cfg(feature = "http")]
    pub(crate) fn overall(self) -> Overall {
        self.0.history().overall()
    }

    /// Returns what went wrong in the last five minutes.
    #[cfg(feature = "http")]
    pub(crate) fn faults(self) -> Faults {
        let lost = self.0.look().lost();
        self.0.history().faults(lost)
    }

    /// Returns the last log lines after this number that match, the newest last; at most this many.
    #[cfg(feature = "http")]
    pub(crate) fn log_tail(
        self,
        after: u64,
        most: usize,
        takes: impl Fn(&LogLine) -> bool,
    ) -> Vec<Arc<LogLine>> {
        self.0.lines().tail(after, most, takes)
    }

    /// Returns the samples of an id outside of any run.
    #[cfg(feature = "http")]
    pub(crate) fn lone_calls(self, kind: CallKind, labels: &[&str]) -> Vec<LoneCall> {
        let series = kind.family().series.sorted().into_iter().find(|series| series.labels.are(labels));
        series.map(|series| self.0.lone().of(series.number())).unwrap_or_default()
    }

    /// Returns what is kept besides runs: name, bytes, entries.
    #[cfg(feature = "http")]
    pub(crate) fn sizes(self) -> [(&'static str, usize, usize); 5] {
        let (lines, line_bytes, lost_lines) = self.0.lines().figures();
        let lone = self.0.lone();
        let history = self.0.history();
        [
            ("log lines", line_bytes, lines),
            ("log lines of runs that found no room", 0, usize::try_from(lost_lines).unwrap_or(usize::MAX)),
            ("samples of calls outside of runs", lone.bytes(), lone.count()),
            (
                "samples of calls outside of runs that gave way",
                0,
                usize::try_from(lone.evicted()).unwrap_or(usize::MAX),
            ),
            ("history", history.bytes(), history.ids()),
        ]
    }

    /// Returns the runs that began since a moment in ticks of the clock, going on or kept, in the order of their begin.
    #[cfg(feature = "testing")]
    pub(crate) fn since(self, ticks: u64) -> Vec<Arc<Run>> {
        let look = self.0.settle();
        let running = look.running(usize::MAX).into_iter().map(Arc::new);
        let mut runs: Vec<_> = look.store().newest_first().into_iter().chain(running).collect();
        runs.retain(|run| run.ticks >= ticks);
        runs.sort_by_key(|run| run.ticks);
        runs
    }

    /// Returns the runs that go on, the oldest first.
    pub fn running(&self) -> Vec<Run> {
        self.0.settle().running(usize::MAX)
    }

    /// Returns all kept runs, the last one to end first.
    pub fn newest(&self) -> Vec<Arc<Run>> {
        self.0.settle().store().newest_first()
    }

    /// Returns the kept runs of an agent that ended as `error`, `panic` or `cancelled`, the last one to end first.
    pub fn failed(&self, agent: &str) -> Vec<Arc<Run>> {
        let look = self.0.settle();
        let outcomes = [Outcome::Error, Outcome::Panic, Outcome::Cancelled].map(Class::Failed);
        let mut failed: Vec<_> =
            outcomes.into_iter().flat_map(|class| look.store().of_class(agent, class)).collect();
        failed.sort_by_key(|run| std::cmp::Reverse(run.started() + run.duration()));
        failed
    }

    /// Returns the runs of an agent that are kept for their cost, the dearest first.
    pub fn dearest(&self, agent: &str) -> Vec<Arc<Run>> {
        let mut dearest = self.0.settle().store().of_class(agent, Class::Dearest);
        dearest.sort_by_key(|run| std::cmp::Reverse(run.cost().nanos()));
        dearest
    }

    /// Returns the runs of this id, kept or going on. There are several if several runs belong to one trace.
    pub fn find(&self, id: RunId) -> Vec<Arc<Run>> {
        let look = self.0.settle();
        let running = look.running_of(id).into_iter().map(Arc::new);
        look.store().find(id).into_iter().chain(running).collect()
    }

    /// Keeps the ended runs of this id until 20 further runs of their agent are pinned. Returns `false` if none is kept.
    pub fn pin(&self, id: RunId) -> bool {
        self.0.settle().store_mut().pin(id)
    }

    /// Undoes [`pin`](Self::pin). Returns `false` if no run of this id is pinned.
    pub fn unpin(&self, id: RunId) -> bool {
        self.0.settle().store_mut().unpin(id)
    }

    /// Returns the counts of kept, evicted and lost runs, and their memory.
    pub fn figures(&self) -> RunFigures {
        let figures = self.0.settle().figures();
        let recorder::Figures { running, kept, ended, evicted, lost, lost_events, bytes, memory } = figures;
        RunFigures { running, kept, ended, evicted, lost, lost_events, bytes, memory }
    }
}

impl std::fmt::Debug for Runs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runs").field("memory", &self.0.memory()).finish_non_exhaustive()
    }
}

/// The run that encloses the calling code, returned by [`current`].
#[derive(Clone, Copy, Debug)]
pub struct CurrentRun {
    id: RunId,
    call: CallId,
    live: &'static live::LiveRun,
    agent: &'static str,
    started: u64,
    number: NonZeroU32,
}

/// Returns the recorded runs of the process, `None` before a recorder is started.
pub fn started() -> Option<Runs> {
    Recorder::get().map(Runs)
}

/// Whether log lines are kept.
#[cfg(feature = "logging")]
#[inline]
pub(crate) fn keeps_lines() -> bool {
    Recorder::get().is_some()
}

/// Keeps a log line, which [`LogLine::new`] made.
#[cfg(feature = "logging")]
pub(crate) fn keep_line(line: LogLine) {
    if let Some(recorder) = Recorder::get() {
        recorder.keep_line(line);
    }
}

/// Sets the rule for the texts of errors and contents, that of the output whose lines are kept.
#[cfg(feature = "logging")]
pub(crate) fn set_text_rule(rule: Option<TextRule>) {
    text::set_text_rule(rule);
}

/// The id of the run that encloses the calling code.
#[cfg(feature = "logging")]
#[inline]
pub(crate) fn current_id() -> Option<RunId> {
    Recorder::get()?;
    RunId::of_call(CallId::current())
}

/// Calls `show` with the field and the value of each tag of the run that encloses the calling code.
#[cfg(feature = "logging")]
pub(crate) fn each_current_tag(show: impl FnMut(&str, &str)) {
    if let Some(run) = CallId::current().run() {
        live::with_details(run, |details| details.each_tag(show));
    }
}

/// Has the calls inside agents with a budget counted from now on, whether a recorder is started or not.
#[inline]
pub(crate) fn meter() {
    follower::follow_budgets();
}

/// Returns the run that encloses the calling code, `None` outside of a run and without a recorder.
///
/// On other threads and tasks this works wherever the [context](crate::context) was carried to.
pub fn current() -> Option<CurrentRun> {
    Recorder::get()?;
    let call = CallId::current();
    let number = call.run()?;
    let live = live::find(number)?;
    let agent = CallSeries::numbered(live.agent())?.id();
    Some(CurrentRun { id: RunId::of_call(call)?, call, live, agent, started: live.started(), number })
}

/// The recorder, and the call and the run that enclose the calling code.
fn recorded() -> Option<(&'static Recorder, CallId, NonZeroU32)> {
    let call = CallId::current();
    let run = call.run()?;
    Some((Recorder::get()?, call, run))
}

/// Tags the run that encloses the calling code.
///
/// The tag is shown with the run, by which it can be found. From now on the log lines inside the run have it as the field
/// `run.<key>`, unless a line has a field of that name. It is never a label of a metric.
///
/// The value is cut after 128 bytes, and a later value replaces an earlier one of the same key. A run has at most 16 tags;
/// further ones are counted in [`Run::lost_texts`].
///
/// ```
/// use monitor_runtime::{run, track_agent};
///
/// #[track_agent]
/// fn answer(ticket: u32) {
///     run::tag("ticket", ticket);
/// }
///
/// let runs = run::builder().start()?;
/// answer(4711);
/// assert_eq!(runs.newest()[0].tag("ticket"), Some("4711"));
/// assert_eq!(runs.newest()[0].to_string(), "answer ✓ [ticket=4711]");
/// # Ok::<(), run::RunsError>(())
/// ```
pub fn tag(key: &'static str, value: impl Display) {
    let Some((recorder, call, run)) = recorded() else { return };
    let value = bounded(value, said::MOST_TAG_BYTES);
    let tag = |details: &mut details::Details| live::has_room() && details.tag(key, &value);
    match live::add_details(run, tag) {
        Some(true) => {
            let value = text::kept_text(&format!("run.{key}"), value);
            recorder.push_remark(run, call, Remark::Tag { key, value });
        }
        Some(false) => recorder.push_remark(run, call, Remark::LostText),
        None => {}
    }
}

/// Puts a text on the timeline of the run that encloses the calling code, inside the innermost call.
///
/// The text is cut after 256 bytes. A run has at most 100 notes; further ones are counted in [`Run::lost_texts`].
///
/// ```
/// use monitor_runtime::{run, track_agent};
///
/// #[track_agent]
/// fn plan() {
///     run::note("replanned");
/// }
///
/// let runs = run::builder().start()?;
/// plan();
/// assert_eq!(runs.newest()[0].to_string(), "plan ✓\n└─ • replanned");
/// # Ok::<(), run::RunsError>(())
/// ```
pub fn note(text: impl Display) {
    let Some((recorder, call, run)) = recorded() else { return };
    let ticks = clock::now();
    let text = text::kept_text("note", bounded(text, said::MOST_NOTE_BYTES));
    recorder.push_remark(run, call, Remark::Note { ticks, text });
}

/// Counts a further attempt of the innermost call around the calling code, and shows its reason, such as `rate_limited`.
///
/// It counts in `skill_retries_total` or `model_retries_total`, if the call is of a skill or a model. A call after another one
/// of its name that failed is a further attempt without this function. The reason is cut after 128 bytes.
///
/// ```
/// use monitor_runtime::{run, track_agent, track_skill};
///
/// #[track_skill]
/// fn fetch(statuses: &[u16]) -> bool {
///     for status in statuses {
///         match status {
///             429 => run::retry("rate_limited"),
///             status => return *status == 200,
///         }
///     }
///     false
/// }
///
/// #[track_agent]
/// fn read() -> bool {
///     fetch(&[429, 429, 200])
/// }
///
/// let runs = run::builder().start()?;
/// assert!(read());
/// assert_eq!(runs.newest()[0].to_string(), "read ✓\n└─ skill fetch ✓ attempt 3 after rate_limited");
/// # Ok::<(), run::RunsError>(())
/// ```
pub fn retry(reason: impl Display) {
    let Some((recorder, call, run)) = recorded() else { return };
    let reason = text::kept_text("reason", bounded(reason, said::MOST_TAG_BYTES));
    recorder.push_remark(run, call, Remark::Retry(reason));
}

/// Fails if a budget of an agent around the calling code is used up, so that the agent can stop before its next step.
///
/// A call counts for the budget of each agent around it. A limit is used up once its amount is reached. A budget that is passed
/// without this check does not stop the agent, but is logged, counted and shown.
///
/// ```
/// use monitor_runtime::run::{self, BudgetExceeded};
/// use monitor_runtime::{track_agent, track_skill};
///
/// #[track_skill]
/// fn search(_words: &str) {}
///
/// #[track_agent(budget(skill_calls = 2))]
/// fn research() -> Result<(), BudgetExceeded> {
///     loop {
///         run::check_budget()?;
///         search("tea");
///     }
/// }
///
/// let error = research().unwrap_err();
/// assert_eq!(error.to_string(), "the budget of the agent `research` is used up: 2 of 2 skill calls");
/// ```
///
/// # Errors
///
/// If a limit is used up: that of the innermost budget, and of its limits the first of cost, tokens, model calls, skill calls
/// and duration.
pub fn check_budget() -> Result<(), BudgetExceeded> {
    let call = CallId::current();
    let Some(run) = call.run().filter(|run| live::has_details(*run)) else { return Ok(()) };
    let (result, remarks) = counting::check(run, call);
    recorder::queue_remarks(run, remarks);
    result
}

impl CurrentRun {
    /// Returns the id of the run.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Returns the `agent_id` of the outermost call.
    pub fn agent(&self) -> &'static str {
        self.agent
    }

    /// Returns the time since the begin of the run.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(clock::nanos_since(self.started))
    }

    /// Returns the number of skill calls that have begun in the run.
    pub fn skill_calls(&self) -> u32 {
        self.live.skill_calls()
    }

    /// Returns the number of model calls that have begun in the run.
    pub fn model_calls(&self) -> u32 {
        self.live.model_calls()
    }

    /// Returns the tokens of the model calls of the run that have ended so far.
    pub fn usage(&self) -> UsageSum {
        self.spent().usage
    }

    /// Returns the cost of the model calls of the run that have ended so far. A call without a price is not free: the sum is
    /// then a lower bound, and says so.
    pub fn cost(&self) -> CostSum {
        self.spent().cost
    }

    fn spent(&self) -> Sums {
        Recorder::get().map(|recorder| recorder.spent(self.number)).unwrap_or_default()
    }

    /// Returns the number of tracked calls around the calling code, the outermost agent's included. A run that has no room for
    /// a tree has the depth 0.
    ///
    /// It reads what the recorder knows, as [`Runs::running`] does, and so costs microseconds.
    pub fn depth(&self) -> usize {
        Recorder::get().and_then(|recorder| recorder.settle().depth(self.call)).unwrap_or(0)
    }
}
