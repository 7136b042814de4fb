//! Calls of a run with the same arguments, by the hash of these. Of arguments themselves nothing is kept.

use std::collections::HashMap;
use std::num::NonZeroU64;

use foldhash::fast::RandomState;

use super::text::map_bytes;
use crate::families::Outcome;

/// The number of identical calls from which they are a loop.
pub(crate) const LOOP: u32 = 3;

/// The most different arguments that are compared in a run.
const MOST_DIFFERENT: usize = 4_096;

/// The number of a series, and the hash of the arguments.
type Arguments = (u32, NonZeroU64);

/// The calls of a run that compare their arguments.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    seen: HashMap<Arguments, Seen, RandomState>,
    /// By the number of the call.
    open: HashMap<u32, Arguments, RandomState>,
    has_warned: bool,
}

#[derive(Debug, Default)]
struct Seen {
    successes: u32,
    /// Whether the last one to end did not succeed. The next one is an attempt to mend that.
    has_failed: bool,
}

/// A call with the arguments of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// The number of calls with these arguments: the successful ones before it, and itself.
    pub(crate) calls: u32,
    /// Whether it is the first loop of the run.
    pub(crate) is_first_loop: bool,
}

impl Repeats {
    /// Notes a call that begins. Returns `None` unless an earlier call with its arguments has succeeded, and none has failed
    /// since.
    pub(crate) fn begin(&mut self, call: u32, series: u32, hash: NonZeroU64) -> Option<Repeat> {
        let arguments = (series, hash);
        if self.seen.len() >= MOST_DIFFERENT && !self.seen.contains_key(&arguments) {
            return None;
        }
        self.open.insert(call, arguments);
        let seen = self.seen.entry(arguments).or_default();
        if seen.has_failed || seen.successes == 0 {
            return None;
        }
        let calls = seen.successes.saturating_add(1);
        let is_first_loop = calls >= LOOP && !std::mem::replace(&mut self.has_warned, true);
        Some(Repeat { calls, is_first_loop })
    }

    /// The bytes that it takes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        map_bytes(&self.seen) + map_bytes(&self.open)
    }

    /// Notes the end of a call.
    pub(crate) fn end(&mut self, call: u32, outcome: Outcome) {
        if let Some(seen) = self.open.remove(&call).and_then(|arguments| self.seen.get_mut(&arguments)) {
            seen.has_failed = outcome != Outcome::Success;
            seen.successes = seen.successes.saturating_add(u32::from(!seen.has_failed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls that these outcomes of one name and hash are taken for.
    fn calls(outcomes: &[Outcome]) -> Vec<u32> {
        let mut repeats = Repeats::default();
        let called = outcomes.iter().zip(1..).map(|(outcome, call)| {
            let repeat = repeats.begin(call, 1, NonZeroU64::MIN);
            repeats.end(call, *outcome);
            repeat.map_or(0, |repeat| repeat.calls)
        });
        called.collect()
    }

    #[test]
    fn successes_are_counted_and_a_call_after_a_failure_is_no_repeat() {
        use Outcome::{Cancelled, Error, Success};
        assert_eq!(calls(&[Success, Success, Success, Success]), [0, 2, 3, 4]);
        assert_eq!(calls(&[Error, Error, Success, Success]), [0, 0, 0, 2]);
        assert_eq!(calls(&[Success, Cancelled, Success, Success]), [0, 2, 0, 3]);
    }

    #[test]
    fn other_names_and_other_arguments_are_not_identical_and_the_first_loop_is_told_once() {
        let mut repeats = Repeats::default();
        let mut loops = 0;
        for call in 0..8 {
            let hash = NonZeroU64::new(u64::from(call % 2) + 1).unwrap();
            let repeat = repeats.begin(call, 1, hash);
            repeats.end(call, Outcome::Success);
            assert_eq!(repeat.map_or(1, |repeat| repeat.calls), call / 2 + 1);
            loops += u32::from(repeat.is_some_and(|repeat| repeat.is_first_loop));
        }
        assert_eq!(loops, 1);
        assert_eq!(repeats.begin(9, 2, NonZeroU64::MIN), None);
    }
}
