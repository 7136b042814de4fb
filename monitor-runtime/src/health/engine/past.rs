//! What a check did before, and the turns of the readiness: bounded, for a person who looks.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::state::Outcome;

const MOST_RUNS: usize = 300;
const MOST_LATENCIES: usize = 60;
const MOST_TURNS: usize = 20;

/// The maximum size of a reason, in bytes.
const MOST_REASON_BYTES: usize = 1_024;

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) at: SystemTime,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<Box<str>>,
}

/// The runs of a check.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// When the last reading was taken.
    pub(crate) read: Option<SystemTime>,
    /// A letter a run, the newest last: `p` passed, `w` passed with a warning, `f` failed, `t` timed out, `x` panicked.
    pub(crate) strip: VecDeque<char>,
    /// How long the last runs took, the newest last.
    pub(crate) latencies: VecDeque<Duration>,
    /// The transitions, the newest first.
    pub(crate) turns: Vec<Turn>,
}

/// The runs of a check, as they are noted.
#[derive(Debug, Default)]
pub(crate) struct PastRuns(Mutex<Past>);

impl PastRuns {
    pub(crate) fn note(&self, outcome: Outcome, is_warning: bool, took: Duration) {
        let letter = match outcome {
            Outcome::Passed if is_warning => 'w',
            Outcome::Passed => 'p',
            Outcome::Failed => 'f',
            Outcome::TimedOut => 't',
            Outcome::Panicked => 'x',
        };
        let mut past = self.lock();
        past.read = Some(SystemTime::now());
        push(&mut past.strip, MOST_RUNS, letter);
        push(&mut past.latencies, MOST_LATENCIES, took);
    }

    pub(crate) fn copy(&self) -> Past {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Past> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last transitions.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<VecDeque<Turn>>);

impl Turns {
    /// Notes a status, if it is another one than the last.
    pub(crate) fn note<R: Into<Cow<'static, str>>>(
        &self,
        status: &'static str,
        reason: impl FnOnce() -> Option<R>,
    ) {
        let mut turns = self.lock();
        if turns.back().is_none_or(|last| last.status != status) {
            let reason = reason().map(|reason| shortened(&reason.into()));
            push(&mut turns, MOST_TURNS, Turn { at: SystemTime::now(), status, reason });
        }
    }

    pub(crate) fn newest_first(&self) -> Vec<Turn> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Turn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(text: &str) -> Box<str> {
    let end = (0..=MOST_REASON_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].into()
}

fn push<T>(ring: &mut VecDeque<T>, most: usize, value: T) {
    if ring.len() >= most {
        ring.pop_front();
    }
    ring.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_turns_are_bounded() {
        let (runs, turns) = (PastRuns::default(), Turns::default());
        for nth in 0..1_000_u64 {
            runs.note(
                if nth == 999 { Outcome::Failed } else { Outcome::Passed },
                nth == 998,
                Duration::from_millis(nth),
            );
            turns.note(if nth % 3 == 0 { "ready" } else { "not_ready" }, || Some("ä".repeat(10_000)));
        }
        let past = runs.copy();
        let strip: String = past.strip.iter().collect();
        assert!(strip.len() == MOST_RUNS && strip.ends_with("ppwf"), "{strip}");
        assert_eq!(
            (past.latencies.len(), past.latencies.back()),
            (MOST_LATENCIES, Some(&Duration::from_millis(999)))
        );
        let turns = turns.newest_first();
        assert_eq!((turns.len(), turns[0].status, turns[1].status), (MOST_TURNS, "ready", "not_ready"));
        assert!(
            turns
                .iter()
                .all(|turn| turn.reason.as_ref().is_some_and(|reason| reason.len() == MOST_REASON_BYTES))
        );
    }
}
