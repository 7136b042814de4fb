//! What one connection is doing, as its socket, its requests and its task tell each other.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::limits::ConnectionLimits;

/// How long after the last accept a client that has connected, or sent a part of a head, may still bring the rest of it.
const LINGER: Duration = Duration::from_millis(200);

/// Why a connection was closed: the `reason` of `http_connections_closed_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum CloseReason {
    /// By its client, or after an answer that was to be the last.
    Ended,
    Head,
    Body,
    Write,
    Idle,
    /// It gave its place to a new one.
    MadeRoom,
    Stopped,
}

impl CloseReason {
    pub(super) const ALL: [Self; 7] =
        [Self::Ended, Self::Head, Self::Body, Self::Write, Self::Idle, Self::MadeRoom, Self::Stopped];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Head => "head_timeout",
            Self::Body => "body_timeout",
            Self::Write => "write_timeout",
            Self::Idle => "idle_timeout",
            Self::MadeRoom => "made_room",
            Self::Stopped => "stopped",
        }
    }
}

/// Whose a request is: the application's, or one for the endpoints of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    App,
    Probe,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for the rest of a request's head, or for the first.
    Head,
    /// A request has begun, and its answer has not been handed to the kernel whole.
    Answering(RequestKind),
    /// It waits for a next request.
    Idle,
    /// It speaks another protocol.
    Upgraded,
}

/// What a connection is told to do; a later one overrules an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum Command {
    GoOn,
    /// Answer what has begun, and close then.
    Finish,
    /// Do nothing any more, while it is being said what is cut.
    Freeze,
    /// Close at once.
    Close(CloseReason),
}

impl Command {
    const fn rank(self) -> u8 {
        match self {
            Self::GoOn => 0,
            Self::Finish => 1,
            Self::Freeze => 2,
            Self::Close(_) => 3,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// Whose connection it is, of the servers that share a stop.
    pub(super) server: usize,
    pub(super) limits: ConnectionLimits,
    state: Mutex<State>,
    /// Whether the application, asked for an answer or for more of one, had nothing yet.
    waits: AtomicBool,
    /// Whether the client sends no more.
    has_ended: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// Requests that have begun and whose answers' bodies have not ended, of the application and of the monitor.
    open: [u32; 2],
    /// Whether such an answer has ended since the socket was last flushed.
    unflushed: [bool; 2],
    was_used: bool,
    /// Whether bytes have come since the last answer.
    has_bytes: bool,
    /// HTTP/2: the bytes between two requests are no head.
    is_multiplexed: bool,
    upgraded: Option<Cow<'static, str>>,
    phase: Phase,
    /// When the phase began.
    since: Instant,
    order: Command,
    /// When it was told to finish.
    told: Option<Instant>,
    reason: Option<CloseReason>,
    waker: Option<Waker>,
}

/// What the task of a connection has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Freeze,
    Close,
    /// Go on, and finish after what has begun if so `told`, and look again at that time.
    GoOn {
        finish: bool,
        until: Option<Instant>,
    },
}

impl ConnectionState {
    pub(super) fn new(server: usize, limits: ConnectionLimits, order: Command) -> Self {
        let state = State {
            open: [0; 2],
            unflushed: [false; 2],
            was_used: false,
            has_bytes: false,
            is_multiplexed: false,
            upgraded: None,
            phase: Phase::Head,
            since: Instant::now(),
            order: Command::GoOn,
            told: None,
            reason: None,
            waker: None,
        };
        let state = Self {
            server,
            limits,
            state: Mutex::new(state),
            waits: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
        };
        state.tell(order);
        state
    }

    /// A request begins.
    pub(super) fn begin(&self, kind: RequestKind, is_multiplexed: bool) {
        self.waits.store(false, Ordering::SeqCst);
        self.change(|state| {
            state.open[kind as usize] += 1;
            state.was_used = true;
            state.has_bytes = false;
            state.is_multiplexed = is_multiplexed;
        });
    }

    /// The body of its answer has ended, or was dropped.
    pub(super) fn end(&self, kind: RequestKind) {
        let waker = self.change(|state| {
            state.open[kind as usize] -= 1;
            state.unflushed[kind as usize] = true;
            // Of HTTP/1 all is done by the connection's own task.
            state.waker.take_if(|_| state.is_multiplexed)
        });
        wake(waker);
    }

    /// The application was asked for an answer or for more of one, and has it or `waits`.
    pub(super) fn note_poll(&self, waits: bool) {
        // The end of the client's side, once it has come, is passed on from here on.
        if !self.waits.swap(waits, Ordering::SeqCst) && waits && self.has_ended.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// The client sends no more. Whether the application waits: all that it has had by now is with the kernel.
    pub(super) fn note_eof(&self) -> bool {
        self.has_ended.store(true, Ordering::SeqCst);
        self.waits.load(Ordering::SeqCst)
    }

    /// Bytes have been read.
    pub(super) fn note_read(&self) {
        self.change(|state| state.has_bytes |= !state.is_answering());
    }

    /// All that was written is with the kernel.
    pub(super) fn note_flush(&self) {
        self.change(|state| state.unflushed = [false; 2]);
    }

    /// The connection goes on under this protocol.
    pub(super) fn upgrade(&self, protocol: Cow<'static, str>) {
        self.change(|state| state.upgraded = Some(protocol));
    }

    pub(super) fn is_answering(&self) -> bool {
        self.lock().is_answering()
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.lock().phase == Phase::Upgraded
    }

    /// The protocol it was upgraded to.
    pub(super) fn upgraded(&self) -> Option<Cow<'static, str>> {
        self.lock().upgraded.clone()
    }

    /// Notes why it is about to end. The first reason is kept.
    pub(super) fn set_close_reason(&self, reason: CloseReason) {
        self.lock().reason.get_or_insert(reason);
    }

    /// Why it ended.
    pub(super) fn reason(&self) -> CloseReason {
        let state = self.lock();
        let stopped = || (state.order.rank() > Command::GoOn.rank()).then_some(CloseReason::Stopped);
        state.reason.or_else(stopped).unwrap_or(CloseReason::Ended)
    }

    /// Tells it what to do. It does so when its task runs again, which [`wake`](Self::wake) brings about.
    pub(super) fn tell(&self, order: Command) {
        let mut state = self.lock();
        if order.rank() > state.order.rank() {
            state.order = order;
            if order != Command::GoOn {
                state.told.get_or_insert_with(Instant::now);
            }
        }
    }

    pub(super) fn wake(&self) {
        let waker = self.lock().waker.take();
        wake(waker);
    }

    /// Since when it has waited for its client without a request; `None` if it does something else, or is told to close.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.lock();
        let waits = matches!(state.phase, Phase::Head | Phase::Idle);
        (waits && !matches!(state.order, Command::Close(_))).then_some(state.since)
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Whether a stop waits for it: it answers the application's request, or its client has only just connected.
    pub(super) fn holds_up_stop(&self) -> bool {
        let state = self.lock();
        match state.phase {
            Phase::Answering(kind) => kind == RequestKind::App,
            Phase::Head => state.told.is_none_or(|told| told.elapsed() < LINGER),
            Phase::Idle | Phase::Upgraded => false,
        }
    }

    /// What its task has to do now; whoever changes that from outside wakes the task.
    pub(super) fn step(&self, cx: &Context<'_>) -> Step {
        let mut state = self.lock();
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        match state.order {
            Command::Freeze => return Step::Freeze,
            Command::Close(reason) => {
                state.reason.get_or_insert(reason);
                return Step::Close;
            }
            Command::GoOn | Command::Finish => {}
        }
        let (until, reason) = state.deadline(&self.limits);
        if until.is_some_and(|until| until <= Instant::now()) {
            state.reason.get_or_insert(reason);
            return Step::Close;
        }
        // A client that has only just connected is not told yet: it would be closed.
        let finish = state.order == Command::Finish && state.phase != Phase::Head;
        Step::GoOn { finish, until }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let value = change(&mut state);
        state.enter_phase();
        value
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_answering(&self) -> bool {
        matches!(self.phase, Phase::Answering(_))
    }

    fn enter_phase(&mut self) {
        let has = |kind: RequestKind| self.open[kind as usize] > 0 || self.unflushed[kind as usize];
        let phase = if self.upgraded.is_some() {
            Phase::Upgraded
        } else if has(RequestKind::App) {
            Phase::Answering(RequestKind::App)
        } else if has(RequestKind::Probe) {
            Phase::Answering(RequestKind::Probe)
        } else if self.was_used && (self.is_multiplexed || !self.has_bytes) {
            Phase::Idle
        } else {
            Phase::Head
        };
        if phase != self.phase {
            self.phase = phase;
            self.since = Instant::now();
        }
    }

    /// When the phase ends by itself, and for which reason the connection is closed then.
    fn deadline(&self, limits: &ConnectionLimits) -> (Option<Instant>, CloseReason) {
        let (limit, reason) = match self.phase {
            Phase::Head => (limits.head, CloseReason::Head),
            Phase::Idle => (limits.idle, CloseReason::Idle),
            Phase::Answering(RequestKind::Probe) => (limits.write, CloseReason::Write),
            Phase::Answering(RequestKind::App) | Phase::Upgraded => return (None, CloseReason::Ended),
        };
        let until = self.since.checked_add(limit);
        match self.told.filter(|_| self.phase == Phase::Head) {
            Some(told) => {
                let lingered = told + LINGER;
                (Some(until.map_or(lingered, |until| until.min(lingered))), CloseReason::Stopped)
            }
            None => (until, reason),
        }
    }
}

/// Outside of the lock, since a waker may run the task at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
