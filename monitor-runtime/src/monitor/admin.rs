//! A second listener for the probes, with its own thread and runtime. It detects when the application's runtime no
//! longer runs tasks.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use axum::Router;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use super::endpoints::{Endpoints, routes};
use super::error::BuildError;
#[cfg(feature = "runs")]
use super::runs_api::guard::Reach;
use super::server::{App, ConnectionLimits, Connections, Reserve, Server};
use super::threads;
use crate::health::Engine;

/// The logger of lines about the admin listener.
const TARGET: &str = "monitor_runtime::admin";

const DEFAULT_THRESHOLD: Duration = Duration::from_secs(10);

/// The address to listen on, if any, and the threshold for liveness.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdminSettings {
    /// The method of the builder, and the address it was given.
    pub(super) place: Option<(&'static str, SocketAddr)>,
    pub(super) threshold: Duration,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { place: None, threshold: DEFAULT_THRESHOLD }
    }
}

impl AdminSettings {
    /// Binds the address, if there is one.
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

/// A bound listener that is not served yet.
pub(super) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    threshold: Duration,
}

impl Bound {
    /// Starts the thread that serves the listener.
    pub(super) fn start(self, endpoints: Arc<Endpoints>) -> Result<Admin, BuildError> {
        let heartbeat = Arc::new(Heartbeat::new(self.threshold));
        heartbeat.watch_this_runtime();
        if !self.address.ip().is_loopback() && !endpoints.bearer.is_set() {
            let address = self.address;
            tracing::warn!(target: TARGET, %address, "the admin listener is open to other machines and has no bearer token");
        }
        #[cfg(feature = "dashboard")]
        let has_page = endpoints.dashboard.is_some();
        let (stop, stopped) = oneshot::channel();
        let (started, has_started) = mpsc::channel();
        let watched = Arc::clone(&heartbeat);
        threads::spawn("monitor-admin", move || serve(self.listener, endpoints, &watched, stopped, &started))
            .and_then(|()| has_started.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended"))))
            .map_err(|reason| BuildError::AdminThread { reason })?;
        #[cfg(feature = "dashboard")]
        if has_page {
            let url = super::dashboard::url(self.address);
            tracing::info!(target: TARGET, %url, "the live page is served");
        }
        Ok(Admin { address: self.address, heartbeat, _stop: stop })
    }
}

/// The admin listener of a monitor. Dropping it ends the listener.
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
    // The checks belong to the application's runtime, even if this listener gets the first probe.
    Engine::never_start_on_this_thread();
    // Taken at the start, since later there may be no descriptors left.
    let reserve = Reserve::take().ok().map(Arc::new);
    // A scrape may block a thread. More than a few at once gain nothing, since they share renderings.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error))),
    };
    #[cfg(feature = "runs")]
    let is_loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    #[cfg(feature = "runs")]
    let reach = if is_loopback { Reach::Loopback } else { Reach::Others };
    runtime.block_on(async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return drop(started.send(Err(error))),
        };
        let watched = Arc::clone(heartbeat);
        let app = routes::admin_routes(&endpoints, move || watched.stalled_for().is_some());
        #[cfg(feature = "runs")]
        let app = app.merge(with_page(&endpoints, reach));
        let connections = Connections::new("admin", ConnectionLimits::ADMIN);
        let server = Server {
            number: connections.number_server(),
            connections,
            app: App::<Router>::Shared(app),
            endpoints,
            reserve,
        };
        // The builder waits for the message and outlives it.
        let _ = started.send(Ok(()));
        tokio::select! {
            () = server.accept(listener, std::future::pending()) => {}
            () = watch(heartbeat) => {}
            _ = stopped => {}
        }
    });
    // Requests in progress are cut: the monitor is gone, so no answer would be true.
    runtime.shutdown_background();
}

/// The API of the runs, with the live page if it is switched on.
#[cfg(feature = "runs")]
fn with_page(endpoints: &Arc<Endpoints>, reach: Reach) -> Router {
    let api = super::runs_api::routes(endpoints, reach);
    #[cfg(feature = "dashboard")]
    if endpoints.dashboard.is_some() {
        return super::page::routes(endpoints, reach, api);
    }
    api
}

/// Asks for beats, and logs when the runtime stalls and when it recovers.
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

/// Asks a runtime to run a task at intervals, and measures how long it has not done so.
///
/// The task is spawned from another thread, which wakes an idle worker even if all busy ones are blocked. This
/// distinguishes a stalled runtime from a busy or an idle one.
#[derive(Debug)]
pub(super) struct Heartbeat {
    runtime: OnceLock<Handle>,
    threshold: Duration,
    begun: Instant,
    /// When the beat in progress was requested, in nanoseconds since `begun`; 0 if none is awaited.
    awaited: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Starts without a runtime, which counts as one that has not started yet, not as stalled.
    pub(super) fn new(threshold: Duration) -> Self {
        Self { runtime: OnceLock::new(), threshold, begun: Instant::now(), awaited: Arc::default() }
    }

    /// Watches the caller's runtime, if there is one and none is watched yet.
    pub(super) fn watch_this_runtime(&self) {
        if let Ok(runtime) = Handle::try_current() {
            self.runtime.get_or_init(|| runtime);
        }
    }

    /// Requests a beat, unless one is awaited. Only one thread may call this.
    pub(super) fn ask(&self) {
        let Some(runtime) = self.runtime.get().filter(|_| self.awaited.load(Ordering::Acquire) == 0) else {
            return;
        };
        self.awaited.store(self.now(), Ordering::Release);
        let awaited = Arc::clone(&self.awaited);
        // A runtime that has been shut down drops the task, so this beat never arrives.
        runtime.spawn(async move { awaited.store(0, Ordering::Release) });
    }

    /// How long the runtime has run nothing, if that exceeds the threshold.
    pub(super) fn stalled_for(&self) -> Option<Duration> {
        match self.awaited.load(Ordering::Acquire) {
            0 => None,
            since => {
                let stalled = Duration::from_nanos(self.now().saturating_sub(since));
                (stalled > self.threshold).then_some(stalled)
            }
        }
    }

    /// The interval between beats. A stall is noticed within about a tenth of the threshold after exceeding it.
    pub(super) fn interval(&self) -> Duration {
        (self.threshold / 10).clamp(Duration::from_millis(1), Duration::from_secs(1))
    }

    /// Nanoseconds since `begun`, at least 1, since 0 means that no beat is awaited.
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
    fn a_runtime_is_stalled_from_a_missed_beat_to_the_next_one() {
        let (heartbeat, runtime) =
            (heartbeat(), tokio::runtime::Builder::new_current_thread().build().unwrap());
        runtime.block_on(async { heartbeat.watch_this_runtime() });
        heartbeat.ask();
        // The runtime is not driven from here on.
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
