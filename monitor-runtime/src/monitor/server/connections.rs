//! The open connections of a server.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::connection_log::ConnectionLog;
use super::connection_state::{CloseReason, Command, ConnectionState, Phase, RequestKind};
use super::limits::ConnectionLimits;
use crate::families::process;

/// The number of connections among which the one that has waited longest is sought.
const EVICTION_SAMPLE: usize = 1_024;

/// How many connections over the limit may be open while others are closing to make room.
const MAX_CLOSING: usize = 16;

/// All connections that share a limit.
#[derive(Debug)]
pub(in crate::monitor) struct Connections {
    /// The label `listener` of the metrics.
    listener: &'static str,
    limits: ConnectionLimits,
    max: AtomicUsize,
    open: Mutex<Open>,
    closed: Notify,
    /// The number of servers that accept connections.
    accepting: AtomicUsize,
    /// The number of servers so far.
    servers: AtomicUsize,
    gauge: IntGauge,
    pub(super) log: ConnectionLog,
}

#[derive(Debug)]
struct Open {
    next: u64,
    states: HashMap<u64, Arc<ConnectionState>>,
    /// The command for all connections, including later ones.
    order: Command,
}

impl Connections {
    pub(in crate::monitor) fn new(listener: &'static str, limits: ConnectionLimits) -> Arc<Self> {
        let metrics = process::metrics();
        // Series exist from 0 on, so that `rate()` sees the first event.
        for reason in CloseReason::ALL {
            metrics.connections_closed.with_label_values(&[listener, reason.as_str()]);
        }
        for reason in ["limit", "descriptors"] {
            metrics.connections_refused.with_label_values(&[listener, reason]);
        }
        Arc::new(Self {
            listener,
            limits,
            max: AtomicUsize::new(limits.connections.unwrap_or(usize::MAX)),
            open: Mutex::new(Open { next: 0, states: HashMap::new(), order: Command::GoOn }),
            closed: Notify::new(),
            accepting: AtomicUsize::new(0),
            servers: AtomicUsize::new(0),
            gauge: metrics.connections.with_label_values(&[listener]),
            log: ConnectionLog::new(listener),
        })
    }

    /// Returns a number for a new server.
    pub(in crate::monitor) fn number_server(&self) -> usize {
        self.servers.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets the limit, unless the user has set one.
    pub(super) fn set_default_limit(&self, max: usize) {
        if self.limits.connections.is_none() {
            self.max.store(max, Ordering::Relaxed);
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// Waits until connections that were told to make room have closed.
    pub(super) async fn wait_for_room(&self) {
        loop {
            let closed = self.closed.notified();
            if self.lock().states.len() < self.limit().saturating_add(MAX_CLOSING) {
                return;
            }
            closed.await;
        }
    }

    /// Admits a connection of a server, evicting a waiting one if the limit is reached; `None` if none is waiting.
    pub(super) fn admit(self: &Arc<Self>, server: usize) -> Option<ConnectionSlot> {
        if self.lock().states.len() >= self.limit() && !self.make_room() {
            process::metrics().connections_refused.with_label_values(&[self.listener, "limit"]).inc();
            self.log.refused_for_the_limit(self.limit());
            return None;
        }
        let mut open = self.lock();
        let (number, state) = (open.next, Arc::new(ConnectionState::new(server, self.limits, open.order)));
        open.next += 1;
        open.states.insert(number, Arc::clone(&state));
        drop(open);
        self.gauge.inc();
        Some(ConnectionSlot { connections: Arc::clone(self), number, state })
    }

    /// Tells the connection that has waited longest without a request to close. Returns whether there is one.
    pub(super) fn make_room(&self) -> bool {
        let open = self.lock();
        let waiting = open.states.values().filter_map(|state| Some((state.waiting_since()?, state)));
        let Some((_, longest)) = waiting.take(EVICTION_SAMPLE).min_by_key(|(since, _)| *since) else {
            return false;
        };
        let longest = Arc::clone(longest);
        drop(open);
        longest.tell(Command::Close(CloseReason::MadeRoom));
        longest.wake();
        true
    }

    /// Counts an attempt to accept that failed for lack of descriptors.
    pub(super) fn count_without_descriptor(&self) {
        process::metrics().connections_refused.with_label_values(&[self.listener, "descriptors"]).inc();
    }

    /// Gives a command to all connections, including later ones.
    pub(in crate::monitor) fn tell(&self, order: Command) {
        let mut open = self.lock();
        open.order = order;
        let states: Vec<_> = open.states.values().cloned().collect();
        drop(open);
        tell_all(&states, order);
    }

    /// Lets the connections of one server finish and close; those of other servers continue.
    pub(in crate::monitor) fn finish(&self, server: usize) {
        let of_server = |state: &&Arc<ConnectionState>| state.server == server;
        let states: Vec<_> = self.lock().states.values().filter(of_server).cloned().collect();
        tell_all(&states, Command::Finish);
    }

    /// Whether a stop must wait for a connection, or for a server that still accepts.
    pub(in crate::monitor) fn hold_up_stop(&self) -> bool {
        self.accepting.load(Ordering::Acquire) > 0
            || self.lock().states.values().any(|state| state.holds_up_stop())
    }

    /// The number of connections that are answering a request of the application.
    pub(in crate::monitor) fn answering(&self) -> u64 {
        let is_answering =
            |state: &&Arc<ConnectionState>| state.phase() == Phase::Answering(RequestKind::App);
        self.lock().states.values().filter(is_answering).count() as u64
    }

    /// The number of upgraded connections by protocol.
    pub(in crate::monitor) fn upgraded(&self) -> BTreeMap<Cow<'static, str>, u64> {
        let mut upgraded = BTreeMap::new();
        for protocol in self.lock().states.values().filter_map(|state| state.upgraded()) {
            *upgraded.entry(protocol).or_default() += 1;
        }
        upgraded
    }

    /// The number of open connections.
    pub(in crate::monitor) fn open(&self) -> usize {
        self.lock().states.len()
    }

    /// Waits until all connections except upgraded ones have closed, at most for `within`.
    pub(in crate::monitor) async fn closed(&self, within: Duration) {
        let closed = async {
            loop {
                let closed = self.closed.notified();
                if self.lock().states.values().all(|state| state.phase() == Phase::Upgraded) {
                    return;
                }
                closed.await;
            }
        };
        let _ = timeout(within, closed).await;
    }

    pub(super) fn accept(self: &Arc<Self>) -> Accepting {
        self.accepting.fetch_add(1, Ordering::AcqRel);
        Accepting(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_all(states: &[Arc<ConnectionState>], order: Command) {
    for state in states {
        state.tell(order);
    }
    // A frozen connection needs no wake-up: it notices when it next runs, if ever.
    for state in states.iter().filter(|_| order != Command::Freeze) {
        state.wake();
    }
}

/// Counts a server as accepting until dropped.
pub(super) struct Accepting(Arc<Connections>);

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.accepting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The place of one connection under the limit, until dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    connections: Arc<Connections>,
    number: u64,
    state: Arc<ConnectionState>,
}

impl ConnectionSlot {
    pub(super) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let Self { connections, number, state } = self;
        connections.lock().states.remove(number);
        state.end_upgrade();
        connections.gauge.dec();
        let reason = state.reason();
        let closed = &process::metrics().connections_closed;
        closed.with_label_values(&[connections.listener, reason.as_str()]).inc();
        connections.log.closed(reason, &state.limits);
        connections.closed.notify_waiters();
    }
}
