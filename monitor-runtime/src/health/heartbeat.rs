//! Whether the application's runtime still runs its tasks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// Asks a runtime to run a task, again and again, and tells for how long it has not.
///
/// The task is spawned from another thread: that wakes a worker even where all that are awake are blocked, and so tells a
/// runtime that runs nothing from one that is busy or idle.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    runtime: OnceLock<Handle>,
    threshold: Duration,
    begun: Instant,
    /// When the beat was asked for that has not come yet, in nanoseconds since `begun`; 0 when none is awaited.
    awaited: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Begins without a runtime, which counts as one that has yet to be started.
    pub(crate) fn new(threshold: Duration) -> Self {
        Self { runtime: OnceLock::new(), threshold, begun: Instant::now(), awaited: Arc::default() }
    }

    /// Watches the runtime of the caller, if it is in one and none is watched yet.
    pub(crate) fn watch_this_runtime(&self) {
        if let Ok(runtime) = Handle::try_current() {
            self.runtime.get_or_init(|| runtime);
        }
    }

    /// Asks for a beat, unless one is awaited; by one thread.
    pub(crate) fn ask(&self) {
        let Some(runtime) = self.runtime.get().filter(|_| self.awaited.load(Ordering::Acquire) == 0) else {
            return;
        };
        self.awaited.store(self.now(), Ordering::Release);
        let awaited = Arc::clone(&self.awaited);
        // A runtime that has been shut down drops it, and the beat never comes.
        runtime.spawn(async move { awaited.store(0, Ordering::Release) });
    }

    /// For how long the runtime has run nothing, once that is longer than the threshold.
    pub(crate) fn stalled_for(&self) -> Option<Duration> {
        match self.awaited.load(Ordering::Acquire) {
            0 => None,
            since => {
                let stalled = Duration::from_nanos(self.now().saturating_sub(since));
                (stalled > self.threshold).then_some(stalled)
            }
        }
    }

    /// How often to ask: often enough to notice a stall when it is longer than the threshold by a tenth.
    pub(crate) fn interval(&self) -> Duration {
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
