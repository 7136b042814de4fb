//! The connections of a server that are open.

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

/// Among how many the one is looked for that has waited longest.
const EVICTION_SAMPLE: usize = 1_024;

/// How many more may be open for a moment, while others that were told to make room close.
const MAX_CLOSING: usize = 16;

/// All connections under one limit.
#[derive(Debug)]
pub(in crate::monitor) struct Connections {
    /// The `listener` of the metrics.
    listener: &'static str,
    limits: ConnectionLimits,
    max: AtomicUsize,
    open: Mutex<Open>,
    closed: Notify,
    /// Servers that accept.
    accepting: AtomicUsize,
    /// Servers that there have been.
    servers: AtomicUsize,
    gauge: IntGauge,
    pub(super) log: ConnectionLog,
}

#[derive(Debug)]
struct Open {
    next: u64,
    states: HashMap<u64, Arc<ConnectionState>>,
    /// What every connection is told, those that are still to come too.
    order: Command,
}

impl Connections {
    pub(in crate::monitor) fn new(listener: &'static str, limits: ConnectionLimits) -> Arc<Self> {
        let metrics = process::metrics();
        // Counters start at 0, so that `rate()` sees the first event.
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

    /// A number for one more server.
    pub(in crate::monitor) fn number_server(&self) -> usize {
        self.servers.fetch_add(1, Ordering::Relaxed)
    }

    /// Sets the limit that goes where none was set.
    pub(super) fn set_default_limit(&self, max: usize) {
        if self.limits.connections.is_none() {
            self.max.store(max, Ordering::Relaxed);
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.max.load(Ordering::Relaxed)
    }

    /// Waits until those that were told to make room have done so.
    pub(super) async fn wait_for_room(&self) {
        loop {
            let closed = self.closed.notified();
            if self.lock().states.len() < self.limit().saturating_add(MAX_CLOSING) {
                return;
            }
            closed.await;
        }
    }

    /// Lets one more of a server in, in the place of another if need be; `None` if there is no place.
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

    /// Tells the connection to close that has waited longest without a request, and says whether there is one.
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

    /// Counts a connection that the operating system gave no descriptor.
    pub(super) fn count_without_descriptor(&self) {
        process::metrics().connections_refused.with_label_values(&[self.listener, "descriptors"]).inc();
    }

    /// Tells all connections, and those still to come, what to do.
    pub(in crate::monitor) fn tell(&self, order: Command) {
        let mut open = self.lock();
        open.order = order;
        let states: Vec<_> = open.states.values().cloned().collect();
        drop(open);
        tell_all(&states, order);
    }

    /// Has the connections of one server answer what has begun, and close then; those of others go on.
    pub(in crate::monitor) fn finish(&self, server: usize) {
        let of_server = |state: &&Arc<ConnectionState>| state.server == server;
        let states: Vec<_> = self.lock().states.values().filter(of_server).cloned().collect();
        tell_all(&states, Command::Finish);
    }

    /// Whether one of them, or a server that still accepts, is to be waited for.
    pub(in crate::monitor) fn hold_up_stop(&self) -> bool {
        self.accepting.load(Ordering::Acquire) > 0
            || self.lock().states.values().any(|state| state.holds_up_stop())
    }

    /// How many answer a request of the application.
    pub(in crate::monitor) fn answering(&self) -> u64 {
        let is_answering =
            |state: &&Arc<ConnectionState>| state.phase() == Phase::Answering(RequestKind::App);
        self.lock().states.values().filter(is_answering).count() as u64
    }

    /// How many there are that speak another protocol, by its name.
    pub(in crate::monitor) fn upgraded(&self) -> BTreeMap<Cow<'static, str>, u64> {
        let mut upgraded = BTreeMap::new();
        for protocol in self.lock().states.values().filter_map(|state| state.upgraded()) {
            *upgraded.entry(protocol).or_default() += 1;
        }
        upgraded
    }

    /// How many are open.
    pub(in crate::monitor) fn open(&self) -> usize {
        self.lock().states.len()
    }

    /// Waits, for so long at most, until all have closed that are no longer HTTP's.
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
    // One that is frozen is so when it runs next, if ever.
    for state in states.iter().filter(|_| order != Command::Freeze) {
        state.wake();
    }
}

/// A server that accepts connections.
pub(super) struct Accepting(Arc<Connections>);

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.accepting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The place of one connection.
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
        connections.gauge.dec();
        let reason = state.reason();
        let closed = &process::metrics().connections_closed;
        closed.with_label_values(&[connections.listener, reason.as_str()]).inc();
        connections.log.closed(reason, &state.limits);
        connections.closed.notify_waiters();
    }
}
