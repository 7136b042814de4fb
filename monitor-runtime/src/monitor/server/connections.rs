//! The connections of a server that are open.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::limits::ConnectionLimits;
use super::pulse::{Kind, Order, Phase, Pulse, Reason};
use super::said::Said;
use crate::families::process;

/// Among how many the one is looked for that has waited longest.
const SAMPLE: usize = 1_024;

/// How many more may be open for a moment, while others that were told to make room close.
const ROOM: usize = 16;

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
    pub(super) said: Said,
}

#[derive(Debug)]
struct Open {
    next: u64,
    pulses: HashMap<u64, Arc<Pulse>>,
    /// What every connection is told, those that are still to come too.
    order: Order,
}

impl Connections {
    pub(in crate::monitor) fn new(listener: &'static str, limits: ConnectionLimits) -> Arc<Self> {
        let metrics = process::metrics();
        // Counters start at 0, so that `rate()` sees the first event.
        for reason in Reason::ALL {
            metrics.connections_closed.with_label_values(&[listener, reason.as_str()]);
        }
        for reason in ["limit", "descriptors"] {
            metrics.connections_refused.with_label_values(&[listener, reason]);
        }
        Arc::new(Self {
            listener,
            limits,
            max: AtomicUsize::new(limits.connections.unwrap_or(usize::MAX)),
            open: Mutex::new(Open { next: 0, pulses: HashMap::new(), order: Order::GoOn }),
            closed: Notify::new(),
            accepting: AtomicUsize::new(0),
            servers: AtomicUsize::new(0),
            gauge: metrics.connections.with_label_values(&[listener]),
            said: Said::new(listener),
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
    pub(super) async fn has_room(&self) {
        loop {
            let closed = self.closed.notified();
            if self.lock().pulses.len() < self.limit().saturating_add(ROOM) {
                return;
            }
            closed.await;
        }
    }

    /// Lets one more of a server in, in the place of another if need be; `None` if there is no place.
    pub(super) fn admit(self: &Arc<Self>, server: usize) -> Option<Entry> {
        if self.lock().pulses.len() >= self.limit() && !self.make_room() {
            process::metrics().connections_refused.with_label_values(&[self.listener, "limit"]).inc();
            self.said.refused_for_the_limit(self.limit());
            return None;
        }
        let mut open = self.lock();
        let (number, pulse) = (open.next, Arc::new(Pulse::new(server, self.limits, open.order)));
        open.next += 1;
        open.pulses.insert(number, Arc::clone(&pulse));
        drop(open);
        self.gauge.inc();
        Some(Entry { connections: Arc::clone(self), number, pulse })
    }

    /// Tells the connection to close that has waited longest without a request, and says whether there is one.
    pub(super) fn make_room(&self) -> bool {
        let open = self.lock();
        let waiting = open.pulses.values().filter_map(|pulse| Some((pulse.waiting_since()?, pulse)));
        let Some((_, longest)) = waiting.take(SAMPLE).min_by_key(|(since, _)| *since) else { return false };
        let longest = Arc::clone(longest);
        drop(open);
        longest.tell(Order::Close(Reason::MadeRoom));
        longest.wake();
        true
    }

    /// Counts a connection that the operating system gave no descriptor.
    pub(super) fn count_without_descriptor(&self) {
        process::metrics().connections_refused.with_label_values(&[self.listener, "descriptors"]).inc();
    }

    /// Tells all connections, and those still to come, what to do.
    pub(in crate::monitor) fn tell(&self, order: Order) {
        let mut open = self.lock();
        open.order = order;
        let pulses: Vec<_> = open.pulses.values().cloned().collect();
        drop(open);
        tell_all(&pulses, order);
    }

    /// Has the connections of one server answer what has begun, and close then; those of others go on.
    pub(in crate::monitor) fn finish(&self, server: usize) {
        let of_server = |pulse: &&Arc<Pulse>| pulse.server == server;
        let pulses: Vec<_> = self.lock().pulses.values().filter(of_server).cloned().collect();
        tell_all(&pulses, Order::Finish);
    }

    /// Whether one of them, or a server that still accepts, is to be waited for.
    pub(in crate::monitor) fn hold_the_stop(&self) -> bool {
        self.accepting.load(Ordering::Acquire) > 0
            || self.lock().pulses.values().any(|pulse| pulse.holds_the_stop())
    }

    /// How many answer a request of the application.
    pub(in crate::monitor) fn answering(&self) -> u64 {
        let is_answering = |pulse: &&Arc<Pulse>| pulse.phase() == Phase::Answering(Kind::App);
        self.lock().pulses.values().filter(is_answering).count() as u64
    }

    /// How many there are that speak another protocol, by its name.
    pub(in crate::monitor) fn upgraded(&self) -> BTreeMap<Cow<'static, str>, u64> {
        let mut upgraded = BTreeMap::new();
        for protocol in self.lock().pulses.values().filter_map(|pulse| pulse.upgraded()) {
            *upgraded.entry(protocol).or_default() += 1;
        }
        upgraded
    }

    /// How many are open.
    pub(in crate::monitor) fn open(&self) -> usize {
        self.lock().pulses.len()
    }

    /// Waits, for so long at most, until all have closed that are no longer HTTP's.
    pub(in crate::monitor) async fn closed(&self, within: Duration) {
        let closed = async {
            loop {
                let closed = self.closed.notified();
                if self.lock().pulses.values().all(|pulse| pulse.phase() == Phase::Upgraded) {
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

fn tell_all(pulses: &[Arc<Pulse>], order: Order) {
    for pulse in pulses {
        pulse.tell(order);
    }
    // One that is frozen is so when it runs next, if ever.
    for pulse in pulses.iter().filter(|_| order != Order::Freeze) {
        pulse.wake();
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
pub(super) struct Entry {
    connections: Arc<Connections>,
    number: u64,
    pulse: Arc<Pulse>,
}

impl Entry {
    pub(super) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let Self { connections, number, pulse } = self;
        connections.lock().pulses.remove(number);
        connections.gauge.dec();
        let reason = pulse.reason();
        let closed = &process::metrics().connections_closed;
        closed.with_label_values(&[connections.listener, reason.as_str()]).inc();
        connections.said.closed(reason, &pulse.limits);
        connections.closed.notify_waiters();
    }
}
