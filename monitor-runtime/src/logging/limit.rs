//! At most so many lines of one callsite in a period, and one line that says how many were left out.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use prometheus::IntCounter;
use tracing::{Event, Level, Metadata};
use tracing_log::NormalizeEvent as _;

use super::source;

/// The callsites that are watched at a time. What comes past that, as the `log` crate's records may that another
/// language made up, is let through.
const MOST_SITES: usize = 4_096;

/// The settings, and how far each callsite has come in its period.
#[derive(Debug)]
pub(super) struct RateLimit {
    most: u32,
    per: Duration,
    sites: Mutex<HashMap<u64, Site, FixedState>>,
    /// `log_events_suppressed_total`.
    suppressed: IntCounter,
}

/// As good as for ever, and still no more than can be added to a time.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// A callsite in the period that began with a line of it.
#[derive(Debug)]
struct Site {
    began: Instant,
    passed: u32,
    /// Left out, and not said yet.
    suppressed: u64,
    /// Kept from the first of those on, with the end of its period.
    unsaid: Option<(Place, Instant)>,
}

/// Where the lines that were left out would have come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) level: Level,
    pub(super) logger: String,
    /// `src/db.rs:17`, where that is known.
    pub(super) at: Option<String>,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Passes,
    LeftOut,
    /// It is the first of its period, and at that time there will be something to say.
    LeftOutFirst(Instant),
}

impl RateLimit {
    pub(super) fn new(most: u32, per: Duration, suppressed: IntCounter) -> Self {
        Self { most, per: per.min(LONGEST), sites: Mutex::default(), suppressed }
    }

    /// Decides whether an event becomes a line.
    pub(super) fn judge(&self, event: &Event<'_>, now: Instant) -> Ruling {
        if let Some(log) = event.normalized_metadata() {
            return self.judge_at(key_of_record(&log), &log, now);
        }
        let metadata = event.metadata();
        // Callsites live as long as the process.
        self.judge_at(std::ptr::from_ref(metadata).addr() as u64, metadata, now)
    }

    fn judge_at(&self, key: u64, metadata: &Metadata<'_>, now: Instant) -> Ruling {
        let mut sites = self.lock();
        if sites.len() >= MOST_SITES && !sites.contains_key(&key) {
            sites.retain(|_, site| site.unsaid.is_some() || !self.is_over(site, now));
            if sites.len() >= MOST_SITES {
                return Ruling::Passes;
            }
        }
        let site = sites.entry(key).or_insert_with(|| Site::new(now));
        // Whether or not what was left out has been said: an output that stalls says nothing.
        if self.is_over(site, now) {
            (site.began, site.passed) = (now, 0);
        }
        if site.passed < self.most {
            site.passed += 1;
            return Ruling::Passes;
        }
        site.suppressed += 1;
        self.suppressed.inc();
        if site.suppressed > 1 {
            return Ruling::LeftOut;
        }
        let end = site.began + self.per;
        site.unsaid = Some((Place::of(metadata), end));
        Ruling::LeftOutFirst(end)
    }

    /// Takes out what there is to say of the periods that are over, or of all if there is no `now`, the oldest first;
    /// and says when the next of those that are left will be over.
    pub(super) fn due(&self, now: Option<Instant>) -> (Vec<(Place, u64)>, Option<Instant>) {
        let mut sites = self.lock();
        let mut due: Vec<_> = sites.values_mut().filter_map(|site| site.take_due(now)).collect();
        sites.retain(|_, site| site.unsaid.is_some() || now.is_none_or(|now| !self.is_over(site, now)));
        let next = sites.values().filter_map(|site| site.unsaid.as_ref()).map(|(_, end)| *end).min();
        drop(sites);
        due.sort_by_key(|(_, _, end)| *end);
        (due.into_iter().map(|(place, suppressed, _)| (place, suppressed)).collect(), next)
    }

    fn is_over(&self, site: &Site, now: Instant) -> bool {
        now.saturating_duration_since(site.began) >= self.per
    }

    /// No code of a user's runs under the lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Site, FixedState>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Site {
    fn new(now: Instant) -> Self {
        Self { began: now, passed: 0, suppressed: 0, unsaid: None }
    }

    /// What there is to say by `now`, and since when.
    fn take_due(&mut self, now: Option<Instant>) -> Option<(Place, u64, Instant)> {
        let (place, end) = self.unsaid.take_if(|(_, end)| now.is_none_or(|now| now >= *end))?;
        Some((place, std::mem::take(&mut self.suppressed), end))
    }
}

impl Place {
    fn of(metadata: &Metadata<'_>) -> Self {
        let at = metadata.file().map(|file| match metadata.line() {
            Some(line) => format!("{}:{line}", source::path(file)),
            None => source::path(file).to_owned(),
        });
        Self { level: *metadata.level(), logger: metadata.target().to_owned(), at }
    }
}

/// All records of the `log` crate share the callsite of their level; what tells them apart is where they were written.
fn key_of_record(log: &Metadata<'_>) -> u64 {
    FixedState::default().hash_one((log.target(), log.file(), log.line(), log.level()))
}

#[cfg(test)]
mod tests {
    use tracing::callsite::{Callsite, Identifier};
    use tracing::field::FieldSet;
    use tracing::metadata::Kind;
    use tracing::subscriber::Interest;

    use super::*;

    struct Nowhere;

    static NOWHERE: Nowhere = Nowhere;

    impl Callsite for Nowhere {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            unreachable!("never registered")
        }
    }

    fn metadata() -> Metadata<'static> {
        let fields = FieldSet::new(&[], Identifier(&NOWHERE));
        Metadata::new("e", "app::db", Level::WARN, Some("src/db.rs"), Some(17), None, fields, Kind::EVENT)
    }

    fn limit(most: u32, per: Duration) -> RateLimit {
        RateLimit::new(most, per, IntCounter::new("suppressed", "Suppressed.").unwrap())
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn said(limit: &RateLimit, now: Option<Instant>) -> Vec<u64> {
        limit.due(now).0.into_iter().map(|(_, suppressed)| suppressed).collect()
    }

    #[test]
    fn so_many_pass_in_a_period_and_the_rest_is_counted_and_said_at_its_end() {
        let (limit, start) = (limit(2, SECOND), Instant::now());
        let judge = |at| limit.judge_at(1, &metadata(), start + at);
        assert_eq!([judge(SECOND / 10), judge(SECOND / 5)], [Ruling::Passes; 2]);
        let end = start + SECOND / 10 + SECOND;
        assert_eq!(judge(SECOND / 2), Ruling::LeftOutFirst(end));
        assert_eq!(judge(SECOND / 2), Ruling::LeftOut);
        assert_eq!(limit.suppressed.get(), 2);
        assert_eq!(limit.due(Some(start + SECOND)), (Vec::new(), Some(end)));
        let place = Place { level: Level::WARN, logger: "app::db".into(), at: Some("src/db.rs:17".into()) };
        assert_eq!(limit.due(Some(end)), (vec![(place, 2)], None));
        assert_eq!(judge(SECOND * 2), Ruling::Passes, "the next period has begun");
    }

    #[test]
    fn a_period_begins_with_a_line_and_ends_by_itself_if_nothing_was_left_out() {
        let (limit, start) = (limit(1, SECOND), Instant::now());
        for period in 0..3 {
            assert_eq!(limit.judge_at(1, &metadata(), start + SECOND * period), Ruling::Passes);
        }
        assert_eq!(said(&limit, None), [0; 0]);
    }

    #[test]
    fn a_period_ends_also_while_nobody_says_what_was_left_out_of_it() {
        let (limit, start) = (limit(1, SECOND), Instant::now());
        let judge = |at| limit.judge_at(1, &metadata(), start + at);
        assert_eq!(judge(Duration::ZERO), Ruling::Passes);
        assert_eq!(judge(SECOND / 2), Ruling::LeftOutFirst(start + SECOND));
        assert_eq!([judge(SECOND * 2), judge(SECOND * 2)], [Ruling::Passes, Ruling::LeftOut]);
        assert_eq!(said(&limit, Some(start + SECOND * 2)), [2], "of both periods");
        assert_eq!(judge(SECOND * 5 / 2), Ruling::LeftOutFirst(start + SECOND * 3), "the second goes on");
        assert_eq!(said(&limit, None), [1]);
    }

    #[test]
    fn each_callsite_has_a_limit_of_its_own() {
        let (limit, now) = (limit(1, SECOND), Instant::now());
        for site in [1, 2, 1, 2, 2] {
            limit.judge_at(site, &metadata(), now + Duration::from_millis(site));
        }
        assert_eq!(said(&limit, None), [1, 2], "the oldest period first");
        assert_eq!(said(&limit, None), [0; 0], "and once");
    }

    #[test]
    fn more_callsites_than_are_watched_are_let_through_until_some_are_quiet() {
        let (limit, now) = (limit(1, SECOND), Instant::now());
        for site in 0..MOST_SITES as u64 + 100 {
            assert_eq!(limit.judge_at(site, &metadata(), now), Ruling::Passes);
        }
        assert_eq!(limit.lock().len(), MOST_SITES);
        let newcomer = MOST_SITES as u64 + 1;
        assert_eq!(limit.judge_at(newcomer, &metadata(), now), Ruling::Passes);
        assert!(matches!(limit.judge_at(0, &metadata(), now), Ruling::LeftOutFirst(_)));
        assert_eq!(limit.judge_at(newcomer, &metadata(), now + SECOND), Ruling::Passes);
        assert_eq!(
            limit.judge_at(newcomer, &metadata(), now + SECOND),
            Ruling::LeftOutFirst(now + SECOND * 2)
        );
        assert_eq!(limit.lock().len(), 2, "what is still to be said was not forgotten");
    }
}
