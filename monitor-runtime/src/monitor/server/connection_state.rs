//! The state of one connection, shared by its socket, its requests and its task.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::limits::ConnectionLimits;
use crate::http::UpgradedConnection;
use crate::monitor::endpoints::guesses::HeldBack;

/// How long a client that has just connected or sent part of a head may take to send the rest, after the server stops
/// accepting.
const LINGER: Duration = Duration::from_millis(200);

/// Why a connection was closed; the label `reason` of `http_connections_closed_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum CloseReason {
    /// The client closed it, or it ended after its last answer.
    Ended,
    Head,
    Body,
    Write,
    Idle,
    /// It was closed to make room for a new connection.
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

/// Whether a request is for the application or for the monitor's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    App,
    Probe,
}

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for the first request's head, or for the rest of a head.
    Head,
    /// A request has begun, and its answer has not been handed to the kernel completely.
    Answering(RequestKind),
    /// Waiting for the next request.
    Idle,
    /// Upgraded to another protocol.
    Upgraded,
}

/// A command to a connection. A command later in this list overrides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::monitor) enum Command {
    GoOn,
    /// Answer the requests that have begun, then close.
    Finish,
    /// Do nothing more, while the cut work is counted and logged.
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

/// The shared state of one connection.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// The number of its server among those that share a stop.
    pub(super) server: usize,
    pub(super) limits: ConnectionLimits,
    state: Mutex<State>,
    /// Whether the application, when last polled for an answer or for more of one, was pending.
    waits: AtomicBool,
    /// Whether the client has closed its sending side.
    has_ended: AtomicBool,
    /// Those of its answers that are held back.
    pub(super) held_back: HeldBack,
}

/// The state after an upgrade.
#[derive(Debug)]
struct Upgraded {
    protocol: Cow<'static, str>,
    /// Counts the connection among the requests in flight; `None` if its request is not counted.
    in_flight: Option<UpgradedConnection>,
}

#[derive(Debug)]
struct State {
    /// Requests whose answers have not ended, by [`RequestKind`].
    open: [u32; 2],
    /// Whether such an answer has ended since the last flush of the socket.
    unflushed: [bool; 2],
    was_used: bool,
    /// Whether bytes have arrived since the last answer.
    has_bytes: bool,
    /// Set for HTTP/2, where bytes between requests need not be a head.
    is_multiplexed: bool,
    upgraded: Option<Upgraded>,
    phase: Phase,
    /// When the phase began.
    since: Instant,
    order: Command,
    /// When the connection was first told to finish, freeze or close.
    told: Option<Instant>,
    reason: Option<CloseReason>,
    waker: Option<Waker>,
}

/// The next step of a connection's task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Freeze,
    Close,
    /// Continue until `until`, then ask again. If `finish` is set, close once the requests that have begun are
    /// answered.
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
            held_back: HeldBack::default(),
        };
        state.tell(order);
        state
    }

    /// Notes that a request has begun.
    pub(super) fn begin(&self, kind: RequestKind, is_multiplexed: bool) {
        self.waits.store(false, Ordering::SeqCst);
        self.change(|state| {
            state.open[kind as usize] += 1;
            state.was_used = true;
            state.has_bytes = false;
            state.is_multiplexed = is_multiplexed;
        });
    }

    /// Notes that the body of an answer has ended, or was dropped.
    pub(super) fn end(&self, kind: RequestKind) {
        let waker = self.change(|state| {
            state.open[kind as usize] -= 1;
            state.unflushed[kind as usize] = true;
            // In HTTP/1 the connection's own task does everything, so it is running already.
            state.waker.take_if(|_| state.is_multiplexed)
        });
        wake(waker);
    }

    /// Notes whether the application was pending when polled for an answer or for more of one.
    pub(super) fn note_poll(&self, waits: bool) {
        // A client's end of stream that was held back may be passed on now.
        if !self.waits.swap(waits, Ordering::SeqCst) && waits && self.has_ended.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Notes that the client has closed its sending side. Returns whether the application is pending, so that
    /// everything it has produced is with the kernel.
    pub(super) fn note_eof(&self) -> bool {
        self.has_ended.store(true, Ordering::SeqCst);
        self.waits.load(Ordering::SeqCst)
    }

    /// Notes that bytes were read.
    pub(super) fn note_read(&self) {
        self.change(|state| state.has_bytes |= !state.is_answering());
    }

    /// Notes that everything written is with the kernel.
    pub(super) fn note_flush(&self) {
        self.change(|state| state.unflushed = [false; 2]);
    }

    /// Notes an upgrade to another protocol.
    pub(super) fn upgrade(&self, protocol: Cow<'static, str>, in_flight: Option<UpgradedConnection>) {
        self.change(|state| state.upgraded = Some(Upgraded { protocol, in_flight }));
    }

    /// Notes that the socket is dropped, so that an upgraded connection is no longer in flight.
    pub(super) fn end_upgrade(&self) {
        let mut state = self.lock();
        let in_flight = state.upgraded.as_mut().and_then(|upgraded| upgraded.in_flight.take());
        drop(state);
        drop(in_flight);
    }

    pub(super) fn is_answering(&self) -> bool {
        self.lock().is_answering()
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.lock().phase == Phase::Upgraded
    }

    /// The protocol after an upgrade.
    pub(super) fn upgraded(&self) -> Option<Cow<'static, str>> {
        self.lock().upgraded.as_ref().map(|upgraded| upgraded.protocol.clone())
    }

    /// Notes why the connection is about to close; the first reason wins.
    pub(super) fn set_close_reason(&self, reason: CloseReason) {
        self.lock().reason.get_or_insert(reason);
    }

    /// The reason why the connection closed.
    pub(super) fn reason(&self) -> CloseReason {
        let state = self.lock();
        let stopped = || (state.order.rank() > Command::GoOn.rank()).then_some(CloseReason::Stopped);
        state.reason.or_else(stopped).unwrap_or(CloseReason::Ended)
    }

    /// Gives a command. It takes effect when the connection's task runs next; [`wake`](Self::wake) makes it run.
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

    /// Since when the connection has waited for its client without a request, or for answers that are held back and nothing
    /// else; `None` in other phases, or if it is told to close.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.lock();
        let waits = match state.phase {
            Phase::Head | Phase::Idle => true,
            Phase::Answering(_) => {
                let held_back = self.held_back.count();
                held_back > 0 && held_back == state.open.iter().sum::<u32>()
            }
            Phase::Upgraded => false,
        };
        (waits && !matches!(state.order, Command::Close(_))).then_some(state.since)
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Whether an upgraded connection is told to close, upon which its reader gives up. The task of the connection has
    /// ended by then, so the reader is woken in its place.
    pub(super) fn is_cut(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        if state.upgraded.is_none() {
            return false;
        }
        state.waker = Some(cx.waker().clone());
        matches!(state.order, Command::Close(_))
    }

    /// Whether a stop waits for this connection: it is answering a request of the application, it is upgraded, or its
    /// client has only just connected.
    pub(super) fn holds_up_stop(&self) -> bool {
        let state = self.lock();
        match state.phase {
            Phase::Answering(kind) => kind == RequestKind::App,
            Phase::Head => state.told.is_none_or(|told| told.elapsed() < LINGER),
            Phase::Upgraded => true,
            Phase::Idle => false,
        }
    }

    /// The next step for the task. A change from outside must wake the task.
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
        // hyper would close a connection without a request at once, but a client that has just connected may still send
        // one.
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

    /// When the phase times out, and the reason for closing the connection then.
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

/// Wakes outside of the lock, since a waker may run the task at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
