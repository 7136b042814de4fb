//! A second listener for the probes, on a thread and a runtime of its own, which tells whether the application's runtime
//! still runs its tasks.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use super::endpoints::{Endpoints, routes};
use super::error::BuildError;
use super::server::{ConnectionLimits, Connections, Reserve, Server};
use super::threads;
use crate::health::Engine;

/// The logger of lines about the admin listener.
const TARGET: &str = "monitor_runtime::admin";

const DEFAULT_THRESHOLD: Duration = Duration::from_secs(10);

/// Where to listen, if at all, and when the runtime counts as wedged.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdminSettings {
    /// The builder's method it was given by, and the address.
    pub(super) place: Option<(&'static str, SocketAddr)>,
    pub(super) threshold: Duration,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { place: None, threshold: DEFAULT_THRESHOLD }
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
    /// Starts the thread that answers.
    pub(super) fn start(self, endpoints: Arc<Endpoints>) -> Result<Admin, BuildError> {
        let heartbeat = Arc::new(Heartbeat::new(self.threshold));
        heartbeat.watch_this_runtime();
        if !self.address.ip().is_loopback() && !endpoints.bearer.is_set() {
            let address = self.address;
            tracing::warn!(target: TARGET, %address, "the admin listener is open to other machines and has no bearer token");
        }
        let (stop, stopped) = oneshot::channel();
        let (started, has_started) = mpsc::channel();
        let watched = Arc::clone(&heartbeat);
        threads::spawn("monitor-admin", move || serve(self.listener, endpoints, &watched, stopped, &started))
            .and_then(|()| has_started.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended"))))
            .map_err(|reason| BuildError::AdminThread { reason })?;
        Ok(Admin { address: self.address, heartbeat, _stop: stop })
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
    endpoints: Arc<Endpoints>,
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
        let watched = Arc::clone(heartbeat);
        let connections = Connections::new("admin", ConnectionLimits::ADMIN);
        let server = Server {
            number: connections.number_server(),
            connections,
            engine: Arc::clone(&endpoints.engine),
            router: routes::admin_routes(endpoints, move || watched.stalled_for().is_some()),
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

/// Asks a runtime to run a task, again and again, and tells for how long it has not.
///
/// The task is spawned from another thread: that wakes a worker even where all that are awake are blocked, and so tells a
/// runtime that runs nothing from one that is busy or idle.
#[derive(Debug)]
pub(super) struct Heartbeat {
    runtime: OnceLock<Handle>,
    threshold: Duration,
    begun: Instant,
    /// When the beat was asked for that has not come yet, in nanoseconds since `begun`; 0 when none is awaited.
    awaited: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Begins without a runtime, which counts as one that has yet to be started.
    pub(super) fn new(threshold: Duration) -> Self {
        Self { runtime: OnceLock::new(), threshold, begun: Instant::now(), awaited: Arc::default() }
    }

    /// Watches the runtime of the caller, if it is in one and none is watched yet.
    pub(super) fn watch_this_runtime(&self) {
        if let Ok(runtime) = Handle::try_current() {
            self.runtime.get_or_init(|| runtime);
        }
    }

    /// Asks for a beat, unless one is awaited; by one thread.
    pub(super) fn ask(&self) {
        let Some(runtime) = self.runtime.get().filter(|_| self.awaited.load(Ordering::Acquire) == 0) else {
            return;
        };
        self.awaited.store(self.now(), Ordering::Release);
        let awaited = Arc::clone(&self.awaited);
        // A runtime that has been shut down drops it, and the beat never comes.
        runtime.spawn(async move { awaited.store(0, Ordering::Release) });
    }

    /// For how long the runtime has run nothing, once that is longer than the threshold.
    pub(super) fn stalled_for(&self) -> Option<Duration> {
        match self.awaited.load(Ordering::Acquire) {
            0 => None,
            since => {
                let stalled = Duration::from_nanos(self.now().saturating_sub(since));
                (stalled > self.threshold).then_some(stalled)
            }
        }
    }

    /// How often to ask: often enough to notice a stall when it is longer than the threshold by a tenth.
    pub(super) fn interval(&self) -> Duration {
        (self.threshold / 10).clamp(Duration::from_millis(1), Duration::from_secs(1))
    }

    /// Never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat() -> Heartbeat {
        Heartbeat::new(Duration::ZERO)
    }

    #[test]
    fn a_runtime_that_has_not_been_started_has_not_stalled() {
        let heartbeat = heartbeat();
        heartbeat.ask();
        assert_eq!(heartbeat.stalled_for(), None);
    }

    #[test]
    fn a_runtime_stalls_from_a_beat_that_does_not_come_until_it_comes() {
        let (heartbeat, runtime) =
            (heartbeat(), tokio::runtime::Builder::new_current_thread().build().unwrap());
        runtime.block_on(async { heartbeat.watch_this_runtime() });
        heartbeat.ask();
        // Nobody drives the runtime now.
        assert!(heartbeat.stalled_for().is_some());
        heartbeat.ask();
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(heartbeat.stalled_for(), None);
    }

    #[test]
    fn a_runtime_that_has_ended_stalls_for_good() {
        let (heartbeat, runtime) =
            (heartbeat(), tokio::runtime::Builder::new_current_thread().build().unwrap());
        runtime.block_on(async { heartbeat.watch_this_runtime() });
        drop(runtime);
        heartbeat.ask();
        assert!(heartbeat.stalled_for().is_some());
    }
}
