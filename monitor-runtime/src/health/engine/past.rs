//! What a check did before, and the transitions of the readiness: bounded, for a person who looks.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::state::Outcome;

const MOST_RUNS: usize = 300;
const MOST_LATENCIES: usize = 60;
const MOST_TRANSITIONS: usize = 20;

/// The maximum size of a reason, in bytes.
const MOST_REASON_BYTES: usize = 1_024;

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transition {
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
    pub(crate) transitions: Vec<Transition>,
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
pub(crate) struct Transitions(Mutex<VecDeque<Transition>>);

impl Transitions {
    /// Looks at a state, and notes its status if that is another one than the last. It looks under the lock, so that what
    /// was seen first is noted first.
    pub(crate) fn note<S, R: Into<Cow<'static, str>>>(
        &self,
        look: impl FnOnce() -> S,
        status: impl FnOnce(&S) -> &'static str,
        reason: impl FnOnce(&S) -> Option<R>,
    ) -> S {
        let mut transitions = self.lock();
        let state = look();
        let status = status(&state);
        if transitions.back().is_none_or(|last| last.status != status) {
            let reason = reason(&state).map(|reason| shortened(&reason.into()));
            let transition = Transition { at: SystemTime::now(), status, reason };
            push(&mut transitions, MOST_TRANSITIONS, transition);
        }
        state
    }

    pub(crate) fn newest_first(&self) -> Vec<Transition> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Transition>> {
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
    fn runs_and_transitions_are_bounded() {
        let (runs, transitions) = (PastRuns::default(), Transitions::default());
        for nth in 0..1_000_u64 {
            runs.note(
                if nth == 999 { Outcome::Failed } else { Outcome::Passed },
                nth == 998,
                Duration::from_millis(nth),
            );
            let status = |nth: &u64| if nth % 3 == 0 { "ready" } else { "not_ready" };
            transitions.note(|| nth, status, |_| Some("ä".repeat(10_000)));
        }
        let past = runs.copy();
        let strip: String = past.strip.iter().collect();
        assert!(strip.len() == MOST_RUNS && strip.ends_with("ppwf"), "{strip}");
        assert_eq!(
            (past.latencies.len(), past.latencies.back()),
            (MOST_LATENCIES, Some(&Duration::from_millis(999)))
        );
        let noted = transitions.newest_first();
        assert_eq!((noted.len(), noted[0].status, noted[1].status), (MOST_TRANSITIONS, "ready", "not_ready"));
        let has_reason = |noted: &Transition| noted.reason.as_ref().map(|reason| reason.len());
        assert!(noted.iter().all(|noted| has_reason(noted) == Some(MOST_REASON_BYTES)));
    }
}
