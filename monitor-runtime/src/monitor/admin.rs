//! A second listener for the probes, on a thread and a runtime of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use super::limits::ConnectionLimits;
use super::server::{Connections, Reserve, Server};
use super::{BuildError, Monitor, MonitorBuilder, threads};
use crate::health::{self, Engine, Heartbeat};

/// The logger of lines about the admin listener.
const TARGET: &str = "monitor_runtime::admin";

const DEFAULT_THRESHOLD: Duration = Duration::from_secs(10);

/// Where to listen, if at all, and when the runtime counts as wedged.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdminSettings {
    /// The builder's method it was given by, and the address.
    place: Option<(&'static str, SocketAddr)>,
    threshold: Duration,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { place: None, threshold: DEFAULT_THRESHOLD }
    }
}

impl MonitorBuilder {
    /// Has the endpoints answered at this port of the loopback address (127.0.0.1) as well, from
    /// [`build`](Self::build) on; 0 takes a free port, which [`admin_address`](Monitor::admin_address) tells.
    ///
    /// This admin listener has a thread and a runtime of its own, so that it answers within milliseconds however busy the
    /// application is. Its `/health/live` is 200 while the application's runtime runs tasks, and 503
    /// `{"status":"stalled"}` while it has run none for the [`liveness_threshold`](Self::liveness_threshold). It goes on
    /// until the last clone of the monitor is dropped, so through all of a stop. The same routes on the main port stay as
    /// they are.
    ///
    /// The runtime that is watched is the one `build` is called on, or else the one of [`serve`](Monitor::serve).
    pub fn admin_port(mut self, port: u16) -> Self {
        self.admin.place = Some(("admin_port", (Ipv4Addr::LOCALHOST, port).into()));
        self
    }

    /// Has the admin listener of [`admin_port`](Self::admin_port) at any address, for an orchestrator that probes from
    /// outside. Beyond loopback a warning is logged unless there is a [`bearer_token`](Self::bearer_token).
    pub fn admin_address(mut self, address: impl Into<SocketAddr>) -> Self {
        self.admin.place = Some(("admin_address", address.into()));
        self
    }

    /// Sets for how long the application's runtime may run no task before the admin listener's `/health/live` answers
    /// 503; 10 seconds when not set, and more than zero. Without an admin listener it has no effect.
    pub fn liveness_threshold(mut self, threshold: Duration) -> Self {
        self.admin.threshold = threshold;
        self
    }
}

impl AdminSettings {
    /// Takes the address, if there is to be a listener.
    pub(super) fn bind(self) -> Result<Option<Bound>, BuildError> {
        if self.threshold.is_zero() {
            return Err(BuildError::ZeroLivenessThreshold);
        }
        let Some((setting, address)) = self.place else { return Ok(None) };
        let refused = |reason| BuildError::AdminAddress { setting, address, reason };
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Some(Bound { listener, address, threshold: self.threshold }))
    }
}

/// A listener that nobody serves yet.
pub(super) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    threshold: Duration,
}

impl Bound {
    /// Starts the thread, which answers for `monitor`: one without an admin listener, or neither would ever end.
    pub(super) fn start(self, monitor: Monitor) -> Result<Admin, BuildError> {
        let heartbeat = Arc::new(Heartbeat::new(self.threshold));
        heartbeat.watch_this_runtime();
        if !self.address.ip().is_loopback() && !monitor.inner.guard.is_set() {
            let address = self.address;
            tracing::warn!(target: TARGET, %address, "the admin listener is open to other machines and has no bearer token");
        }
        let (stop, stopped) = oneshot::channel();
        let (started, has_started) = mpsc::channel();
        let watched = Arc::clone(&heartbeat);
        threads::spawn("monitor-admin", move || serve(self.listener, monitor, &watched, stopped, &started))
            .and_then(|()| has_started.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended"))))
            .map_err(|reason| BuildError::AdminThread { reason })?;
        Ok(Admin { address: self.address, heartbeat, _stop: stop })
    }
}

impl Monitor {
    /// The monitor with its admin listener, if it is to have one.
    pub(super) fn administered(self, bound: Option<Bound>) -> Result<Self, BuildError> {
        let admin = bound.map(|bound| bound.start(self.clone())).transpose()?.map(Arc::new);
        Ok(Self { admin, ..self })
    }
}

/// The admin listener of a monitor, which ends when this is dropped.
pub(super) struct Admin {
    pub(super) address: SocketAddr,
    pub(super) heartbeat: Arc<Heartbeat>,
    _stop: oneshot::Sender<()>,
}

fn serve(
    listener: TcpListener,
    monitor: Monitor,
    heartbeat: &Arc<Heartbeat>,
    stopped: oneshot::Receiver<()>,
    started: &mpsc::Sender<io::Result<()>>,
) {
    // The checks belong to the application's runtime, even where its first probe comes before that.
    Engine::never_start_on_this_thread();
    // Taken now, as it is for the time when there are none left.
    let reserve = Reserve::take().ok().map(Arc::new);
    // A scrape may block, and there is no use in many at once.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error))),
    };
    runtime.block_on(async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return drop(started.send(Err(error))),
        };
        let connections = Connections::new("admin", ConnectionLimits::ADMIN);
        let server = Server {
            number: connections.number_server(),
            connections,
            engine: Arc::clone(&monitor.inner.engine),
            router: health::admin_routes(monitor, Arc::clone(heartbeat)),
            reserve,
        };
        // The builder waits for it.
        let _ = started.send(Ok(()));
        tokio::select! {
            () = server.accept(listener, std::future::pending()) => {}
            () = watch(heartbeat) => {}
            _ = stopped => {}
        }
    });
    // What is being answered is cut: nobody is left to whom the answer would be true.
    runtime.shutdown_background();
}

/// Asks for beats, and says when they stay away and when they are back.
async fn watch(heartbeat: &Heartbeat) {
    let mut ticks = interval(heartbeat.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_stalled = false;
    loop {
        ticks.tick().await;
        let stalled = heartbeat.stalled_for();
        match stalled {
            Some(stalled) if !was_stalled => {
                tracing::error!(target: TARGET, ?stalled, "the runtime runs no tasks: not alive");
            }
            None if was_stalled => tracing::warn!(target: TARGET, "the runtime runs tasks again"),
            _ => {}
        }
        was_stalled = stalled.is_some();
        heartbeat.ask();
    }
}
