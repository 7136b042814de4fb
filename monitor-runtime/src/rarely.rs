//! Log lines of which a client could cause any number.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long there is one line of a kind at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// One line for all that happens in ten seconds: at once for the first, later for the rest.
#[derive(Debug, Default)]
pub(crate) struct Rarely(Mutex<(Option<Instant>, u64)>);

impl Rarely {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// Counts one more. If there is to be a line now, it is given how many there were since the last line.
    pub(crate) fn count(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, count) = &mut *state;
        *count += 1;
        if last.is_some_and(|last| last.elapsed() < INTERVAL) {
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(count))
    }
}
