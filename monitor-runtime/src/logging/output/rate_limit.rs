//! The rate limit of each callsite, and the number of suppressed lines.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use prometheus::IntCounter;
use tracing::{Event, Level, Metadata};
use tracing_log::NormalizeEvent as _;

use crate::logging::record::source;

/// The maximum number of callsites that are limited at a time. Others pass; records of the `log` crate may have any
/// number, since other languages can make them up.
const MAX_CALLSITES: usize = 4_096;

/// The settings, and the current period of each callsite.
#[derive(Debug)]
pub(crate) struct RateLimit {
    max_lines: u32,
    per: Duration,
    windows: Mutex<HashMap<u64, Window, FixedState>>,
    /// `log_events_suppressed_total`.
    suppressed: IntCounter,
}

/// Practically unlimited, but small enough to be added to a time.
const MAX_PERIOD: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The current period of a callsite, which began with one of its lines.
#[derive(Debug)]
struct Window {
    began: Instant,
    passed: u32,
    /// The number of suppressed lines that are not reported yet.
    suppressed: u64,
    /// The callsite and the end of the period, from the first suppressed line until the report.
    unreported: Option<(Callsite, Instant)>,
}

/// The callsite of suppressed lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callsite {
    pub(crate) level: Level,
    pub(crate) logger: String,
    /// `src/db.rs:17`, if known.
    pub(crate) at: Option<String>,
}

/// The fate of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Pass,
    Suppress,
    /// The first suppressed line of a period, which has to be reported at that time.
    SuppressFirst(Instant),
}

impl RateLimit {
    pub(crate) fn new(max_lines: u32, per: Duration, suppressed: IntCounter) -> Self {
        Self { max_lines, per: per.min(MAX_PERIOD), windows: Mutex::default(), suppressed }
    }

    /// Decides whether an event becomes a line.
    pub(crate) fn decide(&self, event: &Event<'_>, now: Instant) -> Decision {
        if let Some(log) = event.normalized_metadata() {
            return self.decide_at(key_of_record(&log), &log, now);
        }
        let metadata = event.metadata();
        // Metadata lives as long as the process, so its address is unique.
        self.decide_at(std::ptr::from_ref(metadata).addr() as u64, metadata, now)
    }

    fn decide_at(&self, key: u64, metadata: &Metadata<'_>, now: Instant) -> Decision {
        let mut windows = self.lock();
        if windows.len() >= MAX_CALLSITES && !windows.contains_key(&key) {
            windows.retain(|_, window| window.unreported.is_some() || !self.is_over(window, now));
            if windows.len() >= MAX_CALLSITES {
                return Decision::Pass;
            }
        }
        let window = windows.entry(key).or_insert_with(|| Window::new(now));
        // Even if suppressed lines are not reported yet, since a stalled output reports nothing.
        if self.is_over(window, now) {
            (window.began, window.passed) = (now, 0);
        }
        if window.passed < self.max_lines {
            window.passed += 1;
            return Decision::Pass;
        }
        window.suppressed += 1;
        self.suppressed.inc();
        if window.suppressed > 1 {
            return Decision::Suppress;
        }
        let end = window.began + self.per;
        window.unreported = Some((Callsite::of(metadata), end));
        Decision::SuppressFirst(end)
    }

    /// Takes the reports of all periods that are over, or of all periods if `now` is `None`, the oldest first. Also
    /// returns when the next remaining period ends.
    pub(crate) fn due(&self, now: Option<Instant>) -> (Vec<(Callsite, u64)>, Option<Instant>) {
        let mut windows = self.lock();
        let mut due: Vec<_> = windows.values_mut().filter_map(|window| window.take_due(now)).collect();
        windows.retain(|_, window| {
            window.unreported.is_some() || now.is_none_or(|now| !self.is_over(window, now))
        });
        let next =
            windows.values().filter_map(|window| window.unreported.as_ref()).map(|(_, end)| *end).min();
        drop(windows);
        due.sort_by_key(|(_, _, end)| *end);
        (due.into_iter().map(|(callsite, suppressed, _)| (callsite, suppressed)).collect(), next)
    }

    fn is_over(&self, window: &Window, now: Instant) -> bool {
        now.saturating_duration_since(window.began) >= self.per
    }

    /// No user code runs under the lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Window, FixedState>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { began: now, passed: 0, suppressed: 0, unreported: None }
    }

    /// Takes the report of a period that is over by `now`, with the end of the period.
    fn take_due(&mut self, now: Option<Instant>) -> Option<(Callsite, u64, Instant)> {
        let (callsite, end) = self.unreported.take_if(|(_, end)| now.is_none_or(|now| now >= *end))?;
        Some((callsite, std::mem::take(&mut self.suppressed), end))
    }
}

impl Callsite {
    fn of(metadata: &Metadata<'_>) -> Self {
        let at = metadata.file().map(|file| match metadata.line() {
            Some(line) => format!("{}:{line}", source::path(file)),
            None => source::path(file).to_owned(),
        });
        Self { level: *metadata.level(), logger: metadata.target().to_owned(), at }
    }
}

/// All records of the `log` crate at one level share a callsite, so the place in the source is the key.
fn key_of_record(log: &Metadata<'_>) -> u64 {
    FixedState::default().hash_one((log.target(), log.file(), log.line(), log.level()))
}

#[cfg(test)]
mod tests {
    use tracing::callsite::{self, Identifier};
    use tracing::field::FieldSet;
    use tracing::metadata::Kind;
    use tracing::subscriber::Interest;

    use super::*;

    struct Nowhere;

    static NOWHERE: Nowhere = Nowhere;

    impl callsite::Callsite for Nowhere {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("never registered")
        }
    }

    fn metadata() -> Metadata<'static> {
        let fields = FieldSet::new(&[], Identifier(&NOWHERE));
        Metadata::new("e", "app::db", Level::WARN, Some("src/db.rs"), Some(17), None, fields, Kind::EVENT)
    }

    fn limit(max_lines: u32, per: Duration) -> RateLimit {
        RateLimit::new(max_lines, per, IntCounter::new("suppressed", "Suppressed.").unwrap())
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn reported(limit: &RateLimit, now: Option<Instant>) -> Vec<u64> {
        limit.due(now).0.into_iter().map(|(_, suppressed)| suppressed).collect()
    }

    #[test]
    fn excess_lines_are_counted_and_reported_after_the_period() {
        let (limit, start) = (limit(2, SECOND), Instant::now());
        let decide = |at| limit.decide_at(1, &metadata(), start + at);
        assert_eq!([decide(SECOND / 10), decide(SECOND / 5)], [Decision::Pass; 2]);
        let end = start + SECOND / 10 + SECOND;
        assert_eq!(decide(SECOND / 2), Decision::SuppressFirst(end));
        assert_eq!(decide(SECOND / 2), Decision::Suppress);
        assert_eq!(limit.suppressed.get(), 2);
        assert_eq!(limit.due(Some(start + SECOND)), (Vec::new(), Some(end)));
        let callsite =
            Callsite { level: Level::WARN, logger: "app::db".into(), at: Some("src/db.rs:17".into()) };
        assert_eq!(limit.due(Some(end)), (vec![(callsite, 2)], None));
        assert_eq!(decide(SECOND * 2), Decision::Pass, "the next period did not begin");
    }

    #[test]
    fn a_period_without_suppressed_lines_ends_by_itself() {
        let (limit, start) = (limit(1, SECOND), Instant::now());
        for period in 0..3 {
            assert_eq!(limit.decide_at(1, &metadata(), start + SECOND * period), Decision::Pass);
        }
        assert_eq!(reported(&limit, None), [0; 0]);
    }

    #[test]
    fn a_period_ends_even_if_its_report_is_not_taken() {
        let (limit, start) = (limit(1, SECOND), Instant::now());
        let decide = |at| limit.decide_at(1, &metadata(), start + at);
        assert_eq!(decide(Duration::ZERO), Decision::Pass);
        assert_eq!(decide(SECOND / 2), Decision::SuppressFirst(start + SECOND));
        assert_eq!([decide(SECOND * 2), decide(SECOND * 2)], [Decision::Pass, Decision::Suppress]);
        assert_eq!(reported(&limit, Some(start + SECOND * 2)), [2], "the lines of both periods");
        assert_eq!(decide(SECOND * 5 / 2), Decision::SuppressFirst(start + SECOND * 3), "the second goes on");
        assert_eq!(reported(&limit, None), [1]);
    }

    #[test]
    fn each_callsite_has_a_limit_of_its_own() {
        let (limit, now) = (limit(1, SECOND), Instant::now());
        for window in [1, 2, 1, 2, 2] {
            limit.decide_at(window, &metadata(), now + Duration::from_millis(window));
        }
        assert_eq!(reported(&limit, None), [1, 2], "not the oldest period first");
        assert_eq!(reported(&limit, None), [0; 0], "reported twice");
    }

    #[test]
    fn callsites_past_the_watched_ones_pass_until_some_are_quiet() {
        let (limit, now) = (limit(1, SECOND), Instant::now());
        for window in 0..MAX_CALLSITES as u64 + 100 {
            assert_eq!(limit.decide_at(window, &metadata(), now), Decision::Pass);
        }
        assert_eq!(limit.lock().len(), MAX_CALLSITES);
        let newcomer = MAX_CALLSITES as u64 + 1;
        assert_eq!(limit.decide_at(newcomer, &metadata(), now), Decision::Pass);
        assert!(matches!(limit.decide_at(0, &metadata(), now), Decision::SuppressFirst(_)));
        assert_eq!(limit.decide_at(newcomer, &metadata(), now + SECOND), Decision::Pass);
        assert_eq!(
            limit.decide_at(newcomer, &metadata(), now + SECOND),
            Decision::SuppressFirst(now + SECOND * 2)
        );
        assert_eq!(limit.lock().len(), 2, "a period was forgotten before its report");
    }
}
