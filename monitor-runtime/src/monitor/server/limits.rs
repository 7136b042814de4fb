//! Limits on the number of connections, and on how long each may make no progress.

use std::time::Duration;

/// The limits of the connections of [`Monitor::serve`](crate::Monitor::serve).
///
/// Timeouts limit a lack of progress, not a total: a slow upload or download, an event stream, a long poll or a
/// `WebSocket` may take as long as it likes. [`Duration::MAX`] turns a timeout off.
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
#[must_use = "limits take effect only when passed to `MonitorBuilder::connection_limits`"]
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
        idle: Duration::from_secs(2 * 60),
        half_closed: Duration::ZERO,
    };

    /// Creates the default limits, which each method documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of open connections, at least 1. By default it is three quarters of the file descriptors
    /// that are free when [`serve`](crate::Monitor::serve) begins.
    ///
    /// At the limit, a new connection replaces the one that has waited longest without a request, or for the answer to a
    /// wrong bearer token. If no connection is waiting, the new one gets 503 and is closed.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    /// Sets how long the complete head of a request may take (default 30 seconds): from the start of the connection, or
    /// on a reused one from the head's first byte.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head = timeout;
        self
    }

    /// Sets how long a handler waits for the next bytes of a request's body before reading fails (default 30 seconds).
    /// In a bidirectional stream, this is how long the client may be silent.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body = timeout;
        self
    }

    /// Sets how long a client may take no bytes of a pending answer (default 30 seconds). The answer to a probe or a
    /// scrape has to be taken completely within that time.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write = timeout;
        self
    }

    /// Sets how long a connection stays open after an answer without a byte of another request (default 75 seconds).
    ///
    /// It must be longer than a load balancer in front keeps its connections; otherwise the load balancer sends
    /// requests into closed ones.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle = timeout;
        self
    }

    /// Sets how long a request continues after its client has closed its sending side (default zero: the client is
    /// taken to have left, and the handler is dropped when it next waits).
    ///
    /// TCP cannot distinguish a client that has left from one that sends nothing more and waits for its answer, as `nc
    /// -N` does. With a timeout, the waiting client gets everything that is ready by then, and the handlers of the
    /// absent one continue for that long. Probes and scrapes are answered in both cases.
    pub fn half_close_timeout(mut self, timeout: Duration) -> Self {
        self.half_closed = timeout;
        self
    }

    /// The method that set a limit of zero, which would refuse or close every connection; `None` if there is none.
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
