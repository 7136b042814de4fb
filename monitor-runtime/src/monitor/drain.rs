//! The stop of a served process, from the signal to the last log line.
//!
//! It runs on its own thread and runtime, so it keeps its deadlines and logs cut work even if the application's runtime
//! is blocked.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::time::{sleep, timeout};

use super::error::BuildError;
use super::server::{CloseReason, Command, ConnectionLimits, Connections, TARGET};
use super::threads;
use crate::families::in_flight::InFlight;
use crate::health::Engine;

/// How often to check whether everything in flight has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long cut connections may take to close; part of the time for the last log lines.
const CLOSE: Duration = Duration::from_millis(500);

/// How long a server may take to return after the cut before its runtime counts as blocked.
const RETURN: Duration = Duration::from_secs(1);

/// How long to flush before checking for another signal.
const FLUSH: Duration = Duration::from_millis(50);

/// How long signals are handled after the stop. During that time, one more signal ends a flush that is still waiting.
const AFTERWARDS: Duration = Duration::from_secs(60);

/// How long the last log lines may take if the output is stalled.
const LAST_LINES: Duration = Duration::from_secs(4);

/// The minimum of the grace period that must be left for the last log lines.
const FEWEST_LEFT: Duration = Duration::from_secs(1);

/// The durations of a stop, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    pub(super) drain_delay: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) grace_period: Duration,
}

impl Default for Stopping {
    /// Fits into the 30 seconds that Kubernetes and ECS grant by default, and leaves 5 seconds for the last log lines.
    fn default() -> Self {
        Self {
            drain_delay: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(20),
            grace_period: Duration::from_secs(30),
        }
    }
}

impl Stopping {
    pub(super) fn validate(self) -> Result<(), BuildError> {
        let Self { drain_delay, shutdown_timeout, grace_period } = self;
        if shutdown_timeout.is_zero() {
            return Err(BuildError::ZeroShutdownTimeout);
        }
        let left = grace_period.saturating_sub(drain_delay.saturating_add(shutdown_timeout));
        if left.is_zero() {
            return Err(BuildError::GracePeriod { drain_delay, shutdown_timeout, grace_period });
        }
        if left < FEWEST_LEFT {
            return Err(BuildError::LastLines { left, drain_delay, shutdown_timeout, grace_period });
        }
        Ok(())
    }

    /// How long the last stage may take, from the final log lines to the drop of the log's guard.
    pub(super) fn last_lines(self) -> Duration {
        let left = self.grace_period.saturating_sub(self.drain_delay.saturating_add(self.shutdown_timeout));
        (left * 4 / 5).min(LAST_LINES)
    }
}

/// The stage of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Serving,
    Draining,
    /// Servers accept no further connections.
    Stopping,
    /// Servers return, even with open connections.
    Over,
}

/// A stop that a monitor's servers and futures wait for.
pub(super) struct Stop {
    stage: Sender<Stage>,
    connections: Arc<Connections>,
    /// The number of servers that have not returned.
    running: AtomicUsize,
    /// Notified by `Monitor::stop`.
    request: Notify,
}

impl Stop {
    /// Begins the stop, unless it has begun.
    pub(super) fn begin(&self) {
        // The thread waits for the permit only once, so a later one is never taken.
        self.request.notify_one();
    }

    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Counts the caller as a running server until the guard is dropped.
    pub(super) fn run(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::AcqRel);
        Running(Arc::clone(self))
    }
}

pub(super) struct Running(Arc<Stop>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A stop and its stage. Signals are handled while at least one of these exists.
pub(super) struct Watched {
    pub(super) stop: Arc<Stop>,
    pub(super) stage: Receiver<Stage>,
}

/// The state that a monitor keeps for its servers.
pub(super) struct Serving {
    stopping: Stopping,
    limits: ConnectionLimits,
    /// The stop that is awaited or already over, if any.
    stop: Mutex<Option<Arc<Stop>>>,
}

impl Serving {
    pub(super) fn new(stopping: Stopping, limits: ConnectionLimits) -> Self {
        Self { stopping, limits, stop: Mutex::new(None) }
    }

    /// Whether a stop has come so far that servers are not to accept connections any more.
    #[cfg(feature = "tonic")]
    pub(super) fn is_stopping(&self) -> bool {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        stop.as_ref().is_some_and(|stop| *stop.stage.borrow() >= Stage::Stopping)
    }
}

/// Joins the monitor's stop if its stage `fits`, or else starts a thread that waits for a signal. No signal is lost
/// after this returns.
///
/// # Errors
///
/// Fails if the thread, its runtime or the signal handlers cannot be set up.
pub(super) fn watch(
    serving: &Arc<Serving>,
    engine: &Arc<Engine>,
    fits: impl FnOnce(Stage) -> bool,
) -> io::Result<Watched> {
    let mut slot = serving.stop.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stop) = slot.clone().filter(|stop| fits(*stop.stage.borrow())) {
        let stage = stop.stage.subscribe();
        return Ok(Watched { stop, stage });
    }
    let (sender, stage) = watch::channel(Stage::Serving);
    let connections = Connections::new("main", serving.limits);
    let stop =
        Arc::new(Stop { stage: sender, connections, running: AtomicUsize::new(0), request: Notify::new() });
    let drain = Drain {
        stop: Arc::clone(&stop),
        serving: Arc::downgrade(serving),
        engine: Arc::clone(engine),
        stopping: serving.stopping,
    };
    let (listening, is_listening) = mpsc::channel();
    threads::spawn("monitor-stop", move || drain.run(&listening))?;
    is_listening
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that waits for signals ended")))?;
    *slot = Some(Arc::clone(&stop));
    Ok(Watched { stop, stage })
}

struct Drain {
    stop: Arc<Stop>,
    serving: Weak<Serving>,
    engine: Arc<Engine>,
    stopping: Stopping,
}

impl Drain {
    fn run(self, listening: &mpsc::Sender<io::Result<()>>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(listening.send(Err(error))),
        };
        runtime.block_on(async {
            match StopSignals::install() {
                Ok(signals) => {
                    let _ = listening.send(Ok(()));
                    self.watch(signals).await;
                }
                Err(error) => drop(listening.send(Err(error))),
            }
        });
    }

    async fn watch(self, mut signals: StopSignals) {
        let signal = loop {
            tokio::select! {
                biased;
                // Polled first, so that a requested stop begins even if nobody serves or waits.
                () = self.stop.request.notified() => break REQUESTED,
                signal = signals.next() => break signal,
                () = self.stop.stage.closed() => if self.is_alone() { return },
            }
        };
        end_flushes_by(None);
        self.engine.drain();
        self.stop.stage.send_replace(Stage::Draining);
        let delay = self.stopping.drain_delay;
        tracing::info!(target: TARGET, signal, ?delay, "draining: readiness answers 503");
        let mut cut = tokio::select! {
            biased;
            signal = signals.next() => Some(second(signal)),
            () = sleep(delay) => None,
            // Only an orchestrator needs the delay, and orchestrators do not send this signal.
            () = self.nothing_is_in_flight(), if signal == INTERRUPT => None,
        };
        self.stop.stage.send_replace(Stage::Stopping);
        if cut.is_none() {
            cut = self.in_flight_ended(&mut signals).await;
        }
        self.end(cut, &mut signals).await;
        let _ = timeout(AFTERWARDS, async {
            loop {
                signals.next().await;
                end_flushes_by(Some(Instant::now()));
            }
        })
        .await;
    }

    /// Whether nothing waits for the stop, now and in the future.
    fn is_alone(&self) -> bool {
        let Some(serving) = self.serving.upgrade() else { return self.stop.stage.receiver_count() == 0 };
        let mut slot = serving.stop.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock no one can join. If there are no receivers now, none can appear once the slot is empty.
        let is_alone = self.stop.stage.receiver_count() == 0;
        if is_alone && slot.as_ref().is_some_and(|stop| Arc::ptr_eq(stop, &self.stop)) {
            *slot = None;
        }
        is_alone
    }

    /// Waits until no request and no call is in flight.
    async fn nothing_is_in_flight(&self) {
        while self.stop.connections.answering() > 0 || !InFlight::now().is_empty() {
            sleep(LOOK).await;
        }
    }

    /// Waits until all requests and calls have ended, or returns why the wait was cut short.
    async fn in_flight_ended(&self, signals: &mut StopSignals) -> Option<String> {
        let InFlight { requests, agents, skills, queries, models } = InFlight::now();
        tracing::info!(
            target: TARGET,
            requests = total(&requests),
            agents = total(&agents),
            skills = total(&skills),
            queries = total(&queries),
            models = nonzero(total(&models)),
            connections = self.stop.connections.open(),
            "stopping: what is in flight may finish"
        );
        let ended = async {
            while self.stop.connections.hold_up_stop() || !InFlight::now().is_empty() {
                sleep(LOOK).await;
            }
        };
        let within = self.stopping.shutdown_timeout;
        tokio::select! {
            biased;
            () = ended => None,
            signal = signals.next() => Some(second(signal)),
            () = sleep(within) => Some(format!("not ended within {within:?}")),
        }
    }

    /// Cuts everything in flight, logs it, and makes the servers return.
    async fn end(&self, reason: Option<String>, signals: &mut StopSignals) {
        let (begun, all) = (Instant::now(), self.stopping.last_lines());
        end_flushes_by(Some(begun + all));
        let connections = &self.stop.connections;
        // Frozen first: an answer completed after the count would be logged as cut although the client got it.
        connections.tell(Command::Freeze);
        let cut = Cut::now(connections);
        connections.tell(Command::Close(CloseReason::Stopped));
        if !cut.in_flight.is_empty() || cut.unnamed > 0 {
            connections.closed(CLOSE.min(all / 4)).await;
        }
        let was_cut = cut.tell(reason.as_deref());
        flush(begun + all / 2, signals).await;
        self.stop.stage.send_replace(Stage::Over);
        if was_cut && self.is_blocked().await {
            end_process(begun + all, signals).await;
        }
    }

    /// Whether a server has not returned in time.
    async fn is_blocked(&self) -> bool {
        let returned = async {
            while self.stop.running.load(Ordering::Acquire) > 0 {
                sleep(LOOK).await;
            }
        };
        timeout(RETURN, returned).await.is_err()
    }
}

/// The signal that Ctrl-C sends from a terminal.
const INTERRUPT: &str = if cfg!(windows) { "Ctrl-C" } else { "SIGINT" };

/// The `signal` in the lines of a stop that `Monitor::stop` began.
const REQUESTED: &str = "Monitor::stop";

fn second(signal: &str) -> String {
    format!("a second signal, {signal}")
}

/// The signals that stop the process. None that arrives after `install` is lost.
struct StopSignals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl StopSignals {
    #[cfg(unix)]
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(windows)]
    fn install() -> io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for the next signal and returns its name.
    #[cfg(unix)]
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => INTERRUPT,
        }
    }

    /// Waits for the next signal and returns its name.
    #[cfg(windows)]
    async fn next(&mut self) -> &'static str {
        self.interrupt.recv().await;
        INTERRUPT
    }
}

/// The work that had not ended when the stop was over.
struct Cut {
    in_flight: InFlight,
    /// Connections with a request that no metric counts, or with an answer that the client has not taken completely.
    unnamed: u64,
    upgraded: BTreeMap<Cow<'static, str>, u64>,
}

impl Cut {
    fn now(connections: &Connections) -> Self {
        let in_flight = InFlight::now();
        let upgraded = connections.upgraded();
        // An upgraded connection is in flight under the route of its request.
        let busy = connections.answering() + upgraded.values().sum::<u64>();
        let unnamed = busy.saturating_sub(total(&in_flight.requests)).min(connections.answering());
        Self { in_flight, unnamed, upgraded }
    }

    /// Logs how the stop ended: a line for each name that was cut, then a summary. Returns whether anything was cut.
    fn tell(&self, reason: Option<&str>) -> bool {
        let Self { in_flight: InFlight { requests, agents, skills, queries, models }, unnamed, upgraded } =
            self;
        let connections = unnamed + upgraded.values().sum::<u64>();
        if self.in_flight.is_empty() && connections == 0 {
            tracing::info!(target: TARGET, reason, "stopped: nothing was cut");
            return false;
        }
        for ([method, endpoint], count) in requests {
            tracing::warn!(target: TARGET, method, endpoint, count, "request cut");
        }
        for ([agent_id], count) in agents {
            tracing::warn!(target: TARGET, agent_id, count, "agent cut");
        }
        for ([skill_id], count) in skills {
            tracing::warn!(target: TARGET, skill_id, count, "skill cut");
        }
        for ([operation, query], count) in queries {
            tracing::warn!(target: TARGET, query, operation, count, "query cut");
        }
        for ([provider, model], count) in models {
            tracing::warn!(target: TARGET, model, provider, count, "model call cut");
        }
        for (protocol, count) in upgraded {
            tracing::warn!(target: TARGET, protocol = protocol.as_ref(), count, "connection cut");
        }
        if *unnamed > 0 {
            tracing::warn!(target: TARGET, protocol = "http", count = unnamed, "connection cut");
        }
        tracing::warn!(
            target: TARGET,
            reason = reason.unwrap_or("it began after the others had ended"),
            requests = total(requests),
            agents = total(agents),
            skills = total(skills),
            queries = total(queries),
            models = nonzero(total(models)),
            connections = nonzero(connections),
            "stopped before all was done"
        );
        true
    }
}

/// The number, unless it is 0: the line then lacks the field.
fn nonzero(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}

fn total<L>(named: &[(L, u64)]) -> u64 {
    named.iter().map(|(_, count)| count).sum()
}

/// Flushes the log until the deadline, or until one more signal.
async fn flush(until: Instant, signals: &mut StopSignals) {
    while !flush_once() && Instant::now() < until {
        // The flush blocks this thread; signals are received only in this pause.
        if timeout(Duration::from_millis(1), signals.next()).await.is_ok() {
            return end_flushes_by(Some(Instant::now()));
        }
    }
}

#[cfg(feature = "logging")]
fn flush_once() -> bool {
    crate::logging::flush_within(FLUSH)
}

#[cfg(not(feature = "logging"))]
fn flush_once() -> bool {
    let _ = FLUSH;
    true
}

#[cfg(feature = "logging")]
fn end_flushes_by(deadline: Option<Instant>) {
    crate::logging::end_flushes_by(deadline);
}

#[cfg(not(feature = "logging"))]
fn end_flushes_by(_: Option<Instant>) {}

/// The last resort: the runtime that should return from `serve` is blocked for good, and nothing else handles signals
/// any more.
async fn end_process(until: Instant, signals: &mut StopSignals) {
    tracing::warn!(target: TARGET, "the runtime is blocked and cannot return: ending the process");
    flush(until, signals).await;
    std::process::exit(0);
}
