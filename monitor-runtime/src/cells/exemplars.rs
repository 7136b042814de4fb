//! Exemplars: for each bucket a recent call in it, named by an id that leads to its log lines or its trace.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Whether the process keeps exemplars.
static ARE_KEPT: AtomicBool = AtomicBool::new(false);

/// The maximum number of characters of an exemplar's label, name and value together; OpenMetrics sets it.
const MOST_CHARACTERS: usize = 128;

/// How long an exemplar is kept at least. A scrape shows only the latest, so replacing it more often would be wasted.
const STAYS_FOR: Duration = Duration::from_secs(1);

/// Makes series that are created from now on keep exemplars.
pub(crate) fn keep() {
    ARE_KEPT.store(true, Ordering::SeqCst);
}

/// Whether [`keep`] has been called.
#[inline]
pub(crate) fn are_kept() -> bool {
    // Relaxed suffices: a series is made under its family's lock, and after `keep` the caller takes each of these locks
    // to turn exemplars on in existing series.
    ARE_KEPT.load(Ordering::Relaxed)
}

/// The id of a call in other signals, such as its trace or its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) label: &'static str,
    pub(crate) value: Box<str>,
}

impl Identity {
    /// An id, unless it is empty, too long, or needs escapes. Readers of exemplars fail on escapes and on `}`: Python's
    /// client refuses the whole scrape, and Prometheus 2 keeps the backslashes.
    pub(crate) fn new(label: &'static str, value: &str) -> Option<Self> {
        let fits = !value.is_empty() && label.len() + value.chars().count() <= MOST_CHARACTERS;
        (fits && !value.contains('}') && !crate::json::is_escaped(value))
            .then(|| Self { label, value: value.into() })
    }
}

/// One call, as an example of its bucket.
#[derive(Clone, Debug)]
pub(crate) struct Exemplar {
    pub(crate) identity: Identity,
    /// The duration of the call.
    pub(crate) nanos: u64,
    /// When the call ended, since the Unix epoch.
    pub(crate) taken: Duration,
}

/// The exemplars of one histogram, a slot for each bucket.
#[derive(Debug)]
pub(crate) struct Exemplars(Box<[ExemplarSlot]>);

#[derive(Debug, Default)]
struct ExemplarSlot {
    /// When the current exemplar was taken, in milliseconds since the Unix epoch.
    taken: AtomicU64,
    kept: Mutex<Option<Exemplar>>,
}

impl Exemplars {
    pub(crate) fn new(buckets: usize) -> Self {
        Self((0..buckets).map(|_| ExemplarSlot::default()).collect())
    }

    /// Offers a call as the exemplar of its bucket. The offer is refused if the current exemplar is fresh, if another
    /// thread is replacing it, or if the call has no id. It never blocks.
    pub(crate) fn offer(&self, bucket: usize, nanos: u64, who: impl FnOnce() -> Option<Identity>) {
        let Some(place) = self.0.get(bucket) else { return };
        let taken = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if !place.is_due(taken) {
            return;
        }
        let Some(identity) = who() else { return };
        let kept = match place.kept.try_lock() {
            Ok(kept) => Some(kept),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut kept) = kept {
            *kept = Some(Exemplar { identity, nanos, taken });
            place.taken.store(millis(taken), Ordering::Relaxed);
        }
    }

    /// Passes a bucket's exemplar to `look`, if there is one.
    pub(crate) fn show(&self, bucket: usize, look: impl FnOnce(&Exemplar)) {
        let kept = self.0.get(bucket).map(|place| place.kept.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(exemplar) = kept.as_deref().and_then(Option::as_ref) {
            look(exemplar);
        }
    }
}

impl ExemplarSlot {
    /// Whether the exemplar may be replaced; at once if the clock was set back.
    fn is_due(&self, now: Duration) -> bool {
        let (now, last) = (millis(now), self.taken.load(Ordering::Relaxed));
        now < last || now - last >= millis(STAYS_FOR)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn identity(value: &str) -> Option<Identity> {
        Identity::new("trace_id", value)
    }

    fn shown(exemplars: &Exemplars, bucket: usize) -> Option<String> {
        let mut seen = None;
        exemplars.show(bucket, |exemplar| seen = Some(exemplar.identity.value.to_string()));
        seen
    }

    #[test]
    fn a_bucket_keeps_one_and_a_fresh_one_stays() {
        let exemplars = Exemplars::new(2);
        exemplars.offer(0, 1, || identity("first"));
        exemplars.offer(0, 2, || panic!("a fresh one is there, so nobody has to say who called"));
        assert_eq!(shown(&exemplars, 0).as_deref(), Some("first"));
        assert_eq!(shown(&exemplars, 1), None);
    }

    #[test]
    fn one_that_is_a_second_old_makes_way() {
        let exemplars = Exemplars::new(1);
        exemplars.offer(0, 1, || identity("first"));
        exemplars.0[0].taken.fetch_sub(1_000, Ordering::Relaxed);
        exemplars.offer(0, 1, || None);
        assert_eq!(shown(&exemplars, 0).as_deref(), Some("first"), "what has no id takes no place");
        exemplars.offer(0, 2, || identity("second"));
        assert_eq!(shown(&exemplars, 0).as_deref(), Some("second"));
    }

    #[test]
    fn name_and_value_have_128_characters_together_at_most() {
        assert!(identity(&"x".repeat(120)).is_some());
        assert!(identity(&"ü".repeat(120)).is_some(), "characters, not bytes");
        assert_eq!(identity(&"x".repeat(121)), None);
        assert_eq!(identity(""), None);
    }

    #[test]
    fn an_id_that_readers_trip_over_is_none() {
        for escaped in ["a\"b", "a\\b", "a\nb", "\u{1b}[1m", "a\u{85}b", "a\u{2028}b", "a}b"] {
            assert_eq!(identity(escaped), None, "{escaped:?}");
        }
        for plain in ["a'b # {c=,", "\u{fc}\u{c2}\u{2026}", "4bf92f3577b34da6a3ce929d0e0e4736"] {
            assert!(identity(plain).is_some(), "{plain:?}");
        }
    }
}
