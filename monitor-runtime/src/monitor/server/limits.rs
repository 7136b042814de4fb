//! How many connections a server holds at once, and how long each may make no progress.

use std::time::Duration;

/// The limits that [`Monitor::serve`](crate::Monitor::serve) puts on its connections.
///
/// Every limit of time is on a lack of progress and not on a total: a slow upload or download that goes on, a stream of
/// events, a long poll and a `WebSocket` live as long as they like. [`Duration::MAX`] switches a limit off.
///
/// ```
/// use std::time::Duration;
///
/// use monitor_runtime::{ConnectionLimits, Monitor};
///
/// # fn main() -> Result<(), monitor_runtime::BuildError> {
/// let limits = ConnectionLimits::new().connections(5_000).idle_timeout(Duration::from_secs(620));
/// let monitor = Monitor::builder().connection_limits(limits).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "limits do nothing until `MonitorBuilder::connection_limits` is given them"]
pub struct ConnectionLimits {
    pub(super) connections: Option<usize>,
    pub(super) head: Duration,
    pub(super) body: Duration,
    pub(super) write: Duration,
    pub(super) idle: Duration,
    pub(super) half_closed: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: None,
            head: Duration::from_secs(30),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            half_closed: Duration::ZERO,
        }
    }
}

impl ConnectionLimits {
    /// The limits of the admin listener, whose clients are probes and scrapers.
    pub(in crate::monitor) const ADMIN: Self = Self {
        connections: Some(64),
        head: Duration::from_secs(10),
        body: Duration::from_secs(10),
        write: Duration::from_secs(10),
        idle: Duration::from_mins(2),
        half_closed: Duration::ZERO,
    };

    /// Begins with the defaults, which each method names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many connections are open at once, at least 1; when not set, three quarters of the file descriptors that the
    /// process may open and does not use when [`serve`](crate::Monitor::serve) begins.
    ///
    /// At the limit, a new connection takes the place of the one that has waited longest without a request. If all of them
    /// are being answered, the new one is answered 503 and closed.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    /// Sets the time in which the whole head of a request has to arrive, from the connection's start or, on one that has
    /// been used, from the head's first byte; 30 seconds when not set.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head = timeout;
        self
    }

    /// Sets how long a handler waits for the next bytes of a request's body before reading it fails; 30 seconds when
    /// not set. Of a call that streams both ways, this is how long its client may be silent.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body = timeout;
        self
    }

    /// Sets how long a client may take no byte of an answer that waits for it; 30 seconds when not set. The answer of a probe
    /// or a scrape has to be taken whole in that time.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write = timeout;
        self
    }

    /// Sets how long a connection is kept after an answer without a byte of a next request; 75 seconds when not set.
    ///
    /// It has to be longer than a load balancer in front keeps its connections, or that sends requests into closed ones.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle = timeout;
        self
    }

    /// Sets how long a request goes on whose client has ended its side of the connection; zero when not set: it has left, and
    /// its handler is dropped when it next waits for something.
    ///
    /// TCP does not tell a client that has left from one that sends no more and waits for its answer, as `nc -N` does. With a
    /// time set, what is ready by then reaches the second, and the handlers of the first go on for so long. Probes and scrapes
    /// are answered to both.
    pub fn half_close_timeout(mut self, timeout: Duration) -> Self {
        self.half_closed = timeout;
        self
    }

    /// The method by which a limit was set that would let nobody in or close every connection at once, if there is one.
    pub(in crate::monitor) fn zero_setting(self) -> Option<&'static str> {
        let Self { connections, head, body, write, idle, half_closed: _ } = self;
        let is_zero = [
            ("connections", connections == Some(0)),
            ("head_timeout", head.is_zero()),
            ("body_timeout", body.is_zero()),
            ("write_timeout", write.is_zero()),
            ("idle_timeout", idle.is_zero()),
        ];
        is_zero.into_iter().find(|(_, is_zero)| *is_zero).map(|(setting, _)| setting)
    }
}
