//! Slows down a client that tries tokens.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::Extensions;
use tokio::time::{Instant, sleep};

/// Wrong tokens that are answered at once in one second. The answers to further ones are held back for [`WAIT`].
///
/// A guesser that waits for its answers then tries a token a second with each request in flight; a connection has one, or
/// many in HTTP/2. A guesser that gives up before an answer comes is not slowed down: the right token is admitted at once,
/// so that nobody is locked out. Only the length of the token bounds that one.
const MOST_AT_ONCE: u32 = 5;

/// How long the answer to a further wrong token is held back.
const WAIT: Duration = Duration::from_secs(1);

/// The wrong tokens of the current second.
#[derive(Default)]
pub(super) struct Guesses(Mutex<Second>);

#[derive(Default)]
struct Second {
    begun: Option<Instant>,
    count: u32,
}

impl Guesses {
    /// Counts a wrong token. Returns how long its answer is held back.
    pub(super) fn count(&self, now: Instant) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count(now)
    }
}

impl Second {
    fn count(&mut self, now: Instant) -> Duration {
        let is_over = self.begun.is_none_or(|begun| now.duration_since(begun) >= Duration::from_secs(1));
        if is_over {
            *self = Self { begun: Some(now), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        if self.count > MOST_AT_ONCE { WAIT } else { Duration::ZERO }
    }
}

/// The number of answers of a connection that are held back. A server puts it into the extensions of requests, and may close
/// a connection that waits for nothing else.
#[derive(Clone, Debug, Default)]
pub(in crate::monitor) struct HeldBack(Arc<AtomicU32>);

impl HeldBack {
    pub(in crate::monitor) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts the answer to a request as held back until the value is dropped.
    pub(in crate::monitor) fn begin(extensions: &Extensions) -> Holding {
        let held = extensions.get::<Self>().cloned();
        if let Some(Self(count)) = &held {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Holding(held)
    }
}

/// An answer that is held back.
#[must_use = "the answer counts as held back until this is dropped"]
pub(in crate::monitor) struct Holding(Option<HeldBack>);

impl Drop for Holding {
    fn drop(&mut self) {
        if let Some(HeldBack(count)) = &self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Waits for that time, if it is any.
pub(super) async fn hold(wait: Duration, holding: Option<Holding>) {
    if !wait.is_zero() {
        sleep(wait).await;
    }
    drop(holding);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_tokens_a_second_are_answered_at_once() {
        let (guesses, begun) = (Guesses::default(), Instant::now());
        let waits: Vec<_> = (0..7).map(|_| guesses.count(begun)).collect();
        assert_eq!(waits[..5], [Duration::ZERO; 5]);
        assert_eq!(waits[5..], [WAIT; 2]);
        assert_eq!(guesses.count(begun + Duration::from_millis(999)), WAIT);
        assert_eq!(guesses.count(begun + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn an_answer_counts_as_held_back_until_it_comes() {
        let (held, mut extensions) = (HeldBack::default(), Extensions::new());
        drop(HeldBack::begin(&extensions));
        extensions.insert(held.clone());
        let both = [HeldBack::begin(&extensions), HeldBack::begin(&extensions)];
        assert_eq!(held.count(), 2);
        drop(both);
        assert_eq!(held.count(), 0);
    }
}
