//! Model calls that other crates track, each by a span of its own.
//!
//! ```text
//! opened ── provider and model known ──► begun ── span closed ──► counted
//!    │                                     │
//!    └── a tracked model call begins ──────┴──► uncounted: the tracked call counts instead
//!
//! opened inside a tracked model call, or inside the span of another such call: never begun; its report is for that one
//! ```
//!
//! So a call counts once, whether its function has an attribute, its framework opens a span, or both. Of spans inside each
//! other the outermost one counts.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::call_id::CallId;
use super::client_call::OpenCall;
use super::enclosing_model::{self, CallAround, InnerCall, Silent};
use super::place::Place;
use super::reply::Report;
use crate::cells::clock;

/// The operation of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// One call of a model, by the name of the conventions.
    ModelCall(&'static str),
    /// The run of an agent or of a tool, for example.
    Other,
}

/// Everything that the fields of a span say about its call.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// `None` until the span has named its operation.
    pub(crate) operation: Option<Operation>,
    pub(crate) provider: Option<Box<str>>,
    /// The requested model.
    pub(crate) model: Option<Box<str>>,
    pub(crate) report: Report,
    /// Whether the model has replied.
    pub(crate) has_reply: bool,
    /// The type of the error, empty if it has none.
    pub(crate) error: Option<Box<str>>,
    pub(crate) first_chunk: Option<Duration>,
}

impl Facts {
    /// The operation, if the span is one call of a model.
    fn model_call(&self) -> Option<&'static str> {
        match self.operation? {
            Operation::ModelCall(operation) => Some(operation),
            Operation::Other => None,
        }
    }

    /// Overrides everything that `later` knows.
    fn update(&mut self, later: Self) {
        let Self { operation, provider, model, report, has_reply, error, first_chunk } = later;
        self.operation = operation.or(self.operation);
        self.provider = provider.or(self.provider.take());
        self.model = model.or(self.model.take());
        self.report.update(report);
        self.has_reply |= has_reply;
        self.error = error.or(self.error.take());
        self.first_chunk = first_chunk.or(self.first_chunk);
    }

    /// Adds a part of the same call, such as an attempt.
    fn add(&mut self, part: Self) {
        let Self { operation: _, provider, model, report, has_reply, error, first_chunk } = part;
        self.provider = self.provider.take().or(provider);
        self.model = self.model.take().or(model);
        self.report.add(report);
        // An attempt may fail and the next one succeed.
        self.error = if has_reply { None } else { self.error.take().or(error) };
        self.has_reply |= has_reply;
        self.first_chunk = self.first_chunk.or(first_chunk);
    }

    /// Fills in what only the parts know.
    fn complete(&mut self, parts: Self) {
        let Self { operation: _, provider, model, report, has_reply, error, first_chunk } = parts;
        self.provider = self.provider.take().or(provider);
        self.model = self.model.take().or(model);
        self.report = std::mem::take(&mut self.report).completed(report);
        if !self.has_reply {
            self.error = self.error.take().or(error);
        }
        self.has_reply |= has_reply;
        self.first_chunk = self.first_chunk.or(first_chunk);
    }
}

/// The facts that a span can report, by the fields it declares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Declared {
    pub(crate) provider: bool,
    pub(crate) error: bool,
}

/// A model call that another crate tracks by a span.
#[derive(Debug)]
pub(crate) struct ForeignCall {
    /// The place where the span was opened; the call counts for its agent.
    place: Place,
    /// The time when the span was opened, in ticks of the clock.
    opened: u64,
    was_panicking: bool,
    declared: Declared,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    facts: Facts,
    role: Role,
    /// The calls whose spans are inside this one's.
    parts: Vec<Arc<ForeignCall>>,
    /// Whether the count was left to a tracked call inside.
    is_left: bool,
    /// Of the tracked calls inside, those that have ended without usage.
    kept: Vec<Box<dyn Silent>>,
    /// Whether a tracked call inside has counted the usage.
    is_counted: bool,
    is_closed: bool,
}

#[derive(Debug, Default)]
enum Role {
    /// It counts; the guard is there once provider and model are known.
    Counts(Option<Box<OpenCall>>),
    /// It is a part of the call of an enclosing span, if that is still open.
    PartOf(Weak<ForeignCall>),
    /// It is inside a tracked call.
    Tracked,
    #[default]
    Uncounted,
}

/// Finds the call of the innermost span around the running code.
type FindAround = fn() -> Option<Arc<ForeignCall>>;

static FIND_AROUND: OnceLock<FindAround> = OnceLock::new();

/// Reads the spans of other crates from now on. The first function stays.
pub(crate) fn install(find_around: FindAround) {
    let _ = FIND_AROUND.set(find_around);
    enclosing_model::install(take_back);
}

/// Leaves the count to a tracked model call that begins inside the call `parent`.
fn take_back(parent: CallId) -> Option<Arc<dyn CallAround>> {
    FIND_AROUND.get()?()?.uncount(parent).map(|around| around as Arc<dyn CallAround>)
}

impl ForeignCall {
    /// Opens a call with its span. `around` is the call of the next enclosing span that is one.
    pub(crate) fn open(facts: Facts, declared: Declared, around: Option<Arc<Self>>) -> Arc<Self> {
        let place = Place::current();
        let (opened, was_panicking) = (clock::now(), std::thread::panicking());
        let call = Arc::new(Self { place, opened, was_panicking, declared, state: Mutex::default() });
        let role = call.find_role(around);
        let outer = {
            let mut state = call.lock();
            state.role = role;
            call.learn(&mut state, facts)
        };
        tell(outer);
        call
    }

    fn find_role(self: &Arc<Self>, around: Option<Arc<Self>>) -> Role {
        if let Some(outer) = around.filter(|outer| outer.join(self)) {
            return Role::PartOf(Arc::downgrade(&outer));
        }
        let inner = || Arc::clone(self) as Arc<dyn InnerCall>;
        let is_tracked = self.place.model().is_some_and(|call| enclosing_model::join(call, inner()));
        if is_tracked { Role::Tracked } else { Role::Counts(None) }
    }

    /// Takes in a call whose span was opened inside. Returns `false` if it is no part of this one: a tracked call is between
    /// both, or this one does not count.
    fn join(&self, part: &Arc<Self>) -> bool {
        let mut state = self.lock();
        let is_part = self.place.call() == part.place.call()
            && state.facts.model_call().is_some()
            && !matches!(state.role, Role::Uncounted)
            && !state.is_left;
        if is_part {
            state.parts.push(Arc::clone(part));
        }
        is_part
    }

    /// Takes fields that were recorded on the span.
    pub(crate) fn record(&self, later: Facts) {
        let outer = self.learn(&mut self.lock(), later);
        tell(outer);
    }

    /// Updates the facts, and begins the call once it is known of which model it is. Returns the call of the enclosing span,
    /// which is of that model, too. The caller tells it without a lock on this one.
    fn learn(&self, state: &mut State, later: Facts) -> Option<(Arc<Self>, Facts)> {
        state.facts.update(later);
        let State { facts, role, .. } = state;
        facts.model_call()?;
        let is_known = facts.model.is_some() && (facts.provider.is_some() || !self.declared.provider);
        match role {
            Role::Counts(call @ None) if is_known => {
                *call = Some(Box::new(self.begin(facts)));
                None
            }
            Role::PartOf(outer) if is_known => {
                let (provider, model) = (facts.provider.clone(), facts.model.clone());
                Some((outer.upgrade()?, Facts { provider, model, ..Facts::default() }))
            }
            _ => None,
        }
    }

    fn begin(&self, facts: &Facts) -> OpenCall {
        let labels = [&facts.provider, &facts.model].map(|name| name.as_deref().unwrap_or_default());
        let operation = facts.model_call().unwrap_or_default();
        OpenCall::begin_at(self.place, self.opened, operation, labels, self.was_panicking)
    }

    /// Takes labels that a part of the call knows, unless this one knows its own.
    fn learn_from_part(&self, labels: Facts) {
        let mut state = self.lock();
        let Facts { provider, model, .. } = labels;
        let missing = Facts {
            provider: provider.filter(|_| state.facts.provider.is_none()),
            model: model.filter(|_| state.facts.model.is_none()),
            ..Facts::default()
        };
        let outer = self.learn(&mut state, missing);
        drop(state);
        tell(outer);
    }

    /// Leaves the count to a tracked call inside, unless another tracked call is between both. Returns the call that was to count.
    fn uncount(self: Arc<Self>, parent: CallId) -> Option<Arc<Self>> {
        if self.place.call() != parent {
            return None;
        }
        let mut state = self.lock();
        state.is_left = true;
        if let Role::PartOf(outer) = &state.role {
            let outer = outer.upgrade();
            drop(state);
            return outer?.uncount(parent);
        }
        let call = match &mut state.role {
            Role::Counts(call) => call.take(),
            _ => None,
        };
        if !matches!(state.role, Role::Tracked) {
            state.role = Role::Uncounted;
        }
        drop(state);
        if let Some(call) = call {
            call.withdraw();
        }
        Some(self)
    }

    /// Ends the call with its span.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        if matches!(state.role, Role::PartOf(_) | Role::Tracked) {
            // The facts wait for the call that this one is a part of.
            return;
        }
        let State { facts, role, parts, kept, is_counted, .. } = state.take();
        drop(state);
        let is_model_call = facts.model_call().is_some();
        match role {
            Role::Counts(call) if is_model_call => {
                let facts = with_parts(facts, parts);
                let call = call.map_or_else(|| self.begin(&facts), |call| *call);
                self.end(call, facts);
            }
            Role::Counts(Some(call)) => call.withdraw(),
            _ if is_model_call && !is_counted => count_kept(kept, with_parts(facts, parts).report),
            _ => count_kept(kept, Report::default()),
        }
    }

    fn end(&self, mut call: OpenCall, facts: Facts) {
        if let Some(after) = facts.first_chunk {
            call.first_chunk_after(after);
        }
        let has_reply = facts.has_reply || !facts.report.usage.is_unknown();
        call.report(facts.report);
        match facts.error {
            Some(error) => call.fail_as(&error),
            // Its drop is a panic then.
            None if std::thread::panicking() && !self.was_panicking => drop(call),
            None if has_reply => call.succeed(),
            // An error would have been recorded, so the call was dropped.
            None if self.declared.error => drop(call),
            None => call.fail_as(""),
        }
    }

    /// The facts for the call that this one is a part of, once.
    fn take_facts(&self) -> Option<Facts> {
        let mut state = self.lock();
        let State { facts, role, parts, is_counted, .. } = state.take();
        drop(state);
        let is_part =
            matches!(role, Role::PartOf(_) | Role::Tracked) && facts.model_call().is_some() && !is_counted;
        is_part.then(|| with_parts(facts, parts))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the tracked calls that ended without usage inside a call with this report. The report is for the last of them: those
/// before it are failed attempts.
fn count_kept(mut kept: Vec<Box<dyn Silent>>, report: Report) {
    let last = kept.pop();
    for call in kept {
        call.count_by(Report::default());
    }
    if let Some(last) = last {
        last.count_by(report);
    }
}

impl State {
    /// Takes everything but the knowledge that the call has closed.
    fn take(&mut self) -> Self {
        let is_closed = self.is_closed;
        std::mem::replace(self, Self { is_closed, ..Self::default() })
    }
}

fn tell(outer: Option<(Arc<ForeignCall>, Facts)>) {
    if let Some((outer, labels)) = outer {
        outer.learn_from_part(labels);
    }
}

/// The facts of a call, completed by those of its parts. A framework that reports for the whole call has counted them.
fn with_parts(mut facts: Facts, parts: Vec<Arc<ForeignCall>>) -> Facts {
    let mut sum = Facts::default();
    for part in parts.into_iter().filter_map(|part| part.take_facts()) {
        sum.add(part);
    }
    facts.complete(sum);
    facts
}

impl CallAround for ForeignCall {
    fn note_counted(&self) {
        self.lock().is_counted = true;
    }

    fn keep(&self, call: &mut dyn FnMut() -> Option<Box<dyn Silent>>) {
        let mut state = self.lock();
        // A part reports to the tracked call around it.
        if !state.is_closed && matches!(state.role, Role::Uncounted) {
            state.kept.extend(call());
        }
    }
}

impl InnerCall for ForeignCall {
    fn take_report(&self) -> Report {
        self.take_facts().map(|facts| facts.report).unwrap_or_default()
    }
}
