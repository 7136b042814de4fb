//! Blocking work, one piece at a time.

use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

/// Runs blocking calls off the async runtime, the next only when the one before it has returned.
///
/// A call cannot be cancelled; it outlives a run that was cut off at its deadline. Without this, a mount that
/// hangs for an hour would cost a thread for every run within that hour.
pub(crate) struct OneCall<T> {
    outstanding: Mutex<Option<JoinHandle<T>>>,
}

impl<T: Send + 'static> OneCall<T> {
    pub(crate) fn new() -> Self {
        Self { outstanding: Mutex::new(None) }
    }

    /// Waits for a call that an earlier run had to leave behind, whose result is out of date, then makes `call`.
    ///
    /// # Errors
    ///
    /// When `call` panics, or its runtime shuts down.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves its call behind for the next.
    pub(crate) async fn make(&self, call: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
        let mut outstanding = self.outstanding.lock().await;
        if let Some(left_behind) = outstanding.as_mut() {
            // Its error is as out of date as its result.
            let _ = left_behind.await;
        }
        let result = outstanding.insert(tokio::task::spawn_blocking(call)).await;
        *outstanding = None;
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_call_that_hangs_is_waited_for_and_not_joined_by_another() {
        let calls = OneCall::new();
        let started = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let hanging = calls.make(move || {
            let _ = released.recv();
            "out of date"
        });
        timeout(Duration::from_millis(20), hanging).await.expect_err("it hangs");
        for _ in 0..3 {
            let started = Arc::clone(&started);
            let next = calls.make(move || {
                started.fetch_add(1, Ordering::SeqCst);
                "never seen"
            });
            timeout(Duration::from_millis(20), next).await.expect_err("the first one still hangs");
        }
        assert_eq!(started.load(Ordering::SeqCst), 0);
        drop(release);
        assert_eq!(calls.make(|| "up to date").await.expect("it returns"), "up to date");
    }

    #[tokio::test]
    async fn a_call_that_panics_leaves_room_for_the_next() {
        let calls = OneCall::new();
        assert!(calls.make(|| -> u8 { panic!("no such disk") }).await.is_err());
        assert_eq!(calls.make(|| 1).await.expect("it returns"), 1);
    }
}
