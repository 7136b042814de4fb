//! The loop of an exporting thread, which outlives panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::control::{Control, Ending};
use super::exporter::Exporter;

/// The work of an exporting thread, turn by turn.
pub(super) trait Work {
    /// The time between two turns without a flush.
    fn pause(&self) -> Duration;

    /// Sends everything that waits.
    fn turn(&mut self);

    /// Whether a turn that panicked left items for another turn.
    fn has_more(&self) -> bool;

    fn exporter(&mut self) -> &mut Exporter;
}

/// Works until the export ends.
///
/// A panic comes from a log layer, a collector of the application, or a fault here. It drops only the items in hand,
/// which are counted: a turn takes its batch before anything else can fail, so each turn makes progress.
pub(super) fn run(work: impl Work, control: &Control) {
    let _ending = Ending(control);
    // The work is dropped before `_ending`, since that closes the queue.
    let mut work = work;
    loop {
        let turn = control.next_turn(work.pause());
        while !is_done(&mut work) && work.has_more() && !is_over(control) {}
        control.answer(turn);
        if turn.is_last {
            return;
        }
    }
}

/// Makes a turn, and returns whether it came to its end.
fn is_done(work: &mut impl Work) -> bool {
    let turn = catch_unwind(AssertUnwindSafe(|| work.turn()));
    if turn.is_err() {
        // The line itself may panic.
        let _ = catch_unwind(AssertUnwindSafe(|| work.exporter().outlive()));
    }
    turn.is_ok()
}

fn is_over(control: &Control) -> bool {
    control.end().is_some_and(|end| Instant::now() >= end)
}

/// Held by the tests whose worker reports a panic.
///
/// `tracing` asks the subscribers about a callsite when it is first reached. A test without a subscriber that reaches it as
/// another test installs one could decide for both that nobody listens.
#[cfg(test)]
pub(super) static REPORTS_A_PANIC: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[cfg(test)]
mod tests {
    use std::sync::{Arc, PoisonError};

    use prometheus::IntCounter;

    use super::super::signal::Signal;
    use super::super::target::{GivenTarget, Target};
    use super::super::variables::Variables;
    use super::*;

    /// Panics in its first turn, with three items in hand.
    struct Panics {
        exporter: Exporter,
        turns: IntCounter,
    }

    impl Work for Panics {
        fn pause(&self) -> Duration {
            Duration::from_secs(4_000)
        }

        fn turn(&mut self) {
            self.turns.inc();
            if self.turns.get() == 1 {
                self.exporter.take(3);
                panic!("told to");
            }
        }

        fn has_more(&self) -> bool {
            false
        }

        fn exporter(&mut self) -> &mut Exporter {
            &mut self.exporter
        }
    }

    #[test]
    fn a_panic_drops_the_items_in_hand_and_the_next_turn_comes() {
        let _alone = REPORTS_A_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        let control = Arc::new(Control::default());
        let target = Target::read(
            &Variables(&|_: &str| None),
            Signal::Traces,
            &GivenTarget::default(),
            Duration::ZERO,
        );
        let mut exporter = Exporter::new(Signal::Traces, target.unwrap(), Arc::clone(&control)).unwrap();
        let [dropped, turns] = ["dropped", "turns"].map(|name| IntCounter::new(name, name).unwrap());
        exporter.count_in(dropped.clone());
        let (work, thread_control) = (Panics { exporter, turns: turns.clone() }, Arc::clone(&control));
        let thread = std::thread::spawn(move || run(work, &thread_control));

        let until = Instant::now() + Duration::from_secs(4_000);
        assert!(control.wait(control.ask(), until));
        assert_eq!((turns.get(), dropped.get()), (1, 3));
        assert!(control.wait(control.ask(), until));
        assert_eq!((turns.get(), dropped.get()), (2, 3));
        control.stop(until);
        thread.join().unwrap();
        assert_eq!((turns.get(), dropped.get()), (3, 3));
    }
}
