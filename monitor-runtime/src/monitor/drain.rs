//! The end of a served process, from the signal to the last log line.
//!
//! It has a thread and a runtime of its own, so that it keeps its times and tells what it cuts even where the
//! application's runtime is blocked.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::serve::TARGET;
use super::signals::StopSignals;
use super::stopping::Stopping;
use super::threads;
use crate::health::Engine;
use crate::registry::InFlight;

/// How often it is looked whether the last call has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long a server that was cut short may take to return before its runtime counts as blocked.
const RETURN: Duration = Duration::from_secs(1);

/// What the server and the thread that ends it tell each other. Each end is a channel that closes.
pub(super) struct Server {
    /// Closed when no further connections are to be accepted.
    pub(super) stop: oneshot::Receiver<()>,
    /// Held until the last connection has closed.
    pub(super) open: oneshot::Sender<()>,
    /// Closed when the server is to return, whatever is open.
    pub(super) over: oneshot::Receiver<()>,
    /// Held for as long as the server has not returned, or been dropped.
    pub(super) running: oneshot::Sender<()>,
}

/// Starts the thread that waits for a signal.
///
/// # Errors
///
/// When there can be no thread, no runtime, or no signal handler.
pub(super) async fn watch(engine: Arc<Engine>, stopping: Stopping) -> io::Result<Server> {
    let (stop, open, over, running) =
        (oneshot::channel(), oneshot::channel(), oneshot::channel(), oneshot::channel());
    let drain = Drain { engine, stopping, stop: stop.0, closed: open.1, over: over.0, returned: running.1 };
    // Before anything is waited for: a signal that came in between would be lost, as whoever heard signals before may stop
    // listening once `serve` has been polled. Which runtime they are installed in does not matter.
    let signals = StopSignals::install()?;
    let (listening, is_listening) = oneshot::channel();
    threads::spawn("monitor-stop", move || drain.run(signals, listening))?;
    is_listening
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the thread that waits for signals ended")))?;
    Ok(Server { stop: stop.1, open: open.0, over: over.1, running: running.0 })
}

struct Drain {
    engine: Arc<Engine>,
    stopping: Stopping,
    stop: oneshot::Sender<()>,
    closed: oneshot::Receiver<()>,
    over: oneshot::Sender<()>,
    returned: oneshot::Receiver<()>,
}

impl Drain {
    fn run(self, signals: StopSignals, listening: oneshot::Sender<io::Result<()>>) {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                // Nobody waits for it if the server has been dropped already, and then it ends at once.
                let _ = listening.send(Ok(()));
                runtime.block_on(self.watch(signals));
            }
            Err(error) => drop(listening.send(Err(error))),
        }
    }

    async fn watch(mut self, mut signals: StopSignals) {
        let signal = tokio::select! {
            signal = signals.next() => signal,
            _ = &mut self.returned => return,
        };
        self.engine.drain();
        let delay = self.stopping.drain_delay;
        tracing::info!(target: TARGET, signal, ?delay, "draining: readiness answers 503");
        let mut cut = tokio::select! {
            biased;
            signal = signals.next() => Some(second(signal)),
            () = sleep(delay) => None,
        };
        drop(self.stop);
        if cut.is_none() {
            cut = in_flight_ended(&mut self.closed, &mut signals, self.stopping.shutdown_timeout).await;
        }
        tell(cut.as_deref());
        flush();
        drop(self.over);
        if cut.is_some() && timeout(RETURN, self.returned).await.is_err() {
            end_process();
        }
    }
}

/// Waits until the last connection has closed and the last call has ended, or tells why no longer.
async fn in_flight_ended(
    closed: &mut oneshot::Receiver<()>,
    signals: &mut StopSignals,
    within: Duration,
) -> Option<String> {
    let InFlight { requests, agents, skills, queries } = InFlight::now();
    tracing::info!(
        target: TARGET,
        requests = total(&requests),
        agents = total(&agents),
        skills = total(&skills),
        queries = total(&queries),
        "stopping: what is in flight may finish"
    );
    let ended = async {
        // It closes, with or without a value.
        let _ = closed.await;
        while !InFlight::now().is_empty() {
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        () = ended => None,
        signal = signals.next() => Some(second(signal)),
        () = sleep(within) => Some(format!("not ended within {within:?}")),
    }
}

fn second(signal: &str) -> String {
    format!("a second signal, {signal}")
}

/// Says how it ended; of what is cut, each by name.
fn tell(cut: Option<&str>) {
    let Some(reason) = cut else {
        tracing::info!(target: TARGET, "stopped: nothing was cut");
        return;
    };
    let InFlight { requests, agents, skills, queries } = InFlight::now();
    for ([method, endpoint], count) in &requests {
        tracing::warn!(target: TARGET, method, endpoint, count, "request cut");
    }
    for ([agent_id], count) in &agents {
        tracing::warn!(target: TARGET, agent_id, count, "agent cut");
    }
    for ([skill_id], count) in &skills {
        tracing::warn!(target: TARGET, skill_id, count, "skill cut");
    }
    for ([operation, query], count) in &queries {
        tracing::warn!(target: TARGET, query, operation, count, "query cut");
    }
    tracing::warn!(
        target: TARGET,
        reason,
        requests = total(&requests),
        agents = total(&agents),
        skills = total(&skills),
        queries = total(&queries),
        "stopped before all was done"
    );
}

fn total<L>(named: &[(L, u64)]) -> u64 {
    named.iter().map(|(_, count)| count).sum()
}

fn flush() {
    #[cfg(feature = "logging")]
    crate::logging::flush_all();
}

/// The last way out: whoever waits for the server is blocked for good, and nobody else hears signals any more.
fn end_process() {
    tracing::warn!(target: TARGET, "the runtime is blocked and cannot return: ending the process");
    flush();
    std::process::exit(0);
}
