//! Invariants of every interleaving.

use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

use crate::cells::buckets::Buckets;
use crate::cells::histogram::Histogram;
use crate::cells::stripes::{Stripe, end_thread};

/// Switches between threads where one could have gone on: each further one multiplies what there is to run.
const PREEMPTIONS: usize = 2;

/// Calls of one series, as the family of a call keeps them.
struct Calls {
    buckets: &'static Buckets,
    ended: Histogram,
}

/// The counts of one scrape.
#[derive(Debug, PartialEq, Eq)]
struct Scrape {
    started: u64,
    ended: u64,
}

impl Calls {
    fn new(buckets: &'static Buckets) -> Arc<Self> {
        Arc::new(Self { buckets, ended: Histogram::new(buckets) })
    }

    fn begin(&self) {
        self.ended.add_started(Stripe::of_this_thread(), 1);
    }

    fn settle(&self) {
        self.ended.record(Stripe::of_this_thread(), 7);
    }

    /// Ends before starts, as every reader of them does.
    fn scrape(&self) -> Scrape {
        let mut words = vec![0; self.buckets.words()];
        let ended = self.ended.read_into(&mut words, &mut Vec::new());
        Scrape { started: self.ended.started(), ended }
    }

    /// Scrapes, and wants no call that has ended without having started.
    fn look(&self) -> Scrape {
        let scrape = self.scrape();
        assert!(scrape.started >= scrape.ended, "{scrape:?}");
        scrape
    }
}

/// Runs the model through every interleaving with at most this number of switches.
fn check(model: impl Fn(&'static Buckets) + Send + Sync + 'static) {
    let buckets: &'static Buckets = Box::leak(Box::new(Buckets::new(&[1.0])));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.max_branches = 100_000;
    builder.check(move || {
        model(buckets);
        end_thread();
    });
}

/// A thread that gives its stripe back as it ends.
fn spawn(run: impl FnOnce() + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        run();
        end_thread();
    })
}

#[test]
fn no_scrape_sees_an_end_without_its_start_and_none_is_lost() {
    check(|buckets| {
        let calls = Calls::new(buckets);
        let threads = [0; 2].map(|_| {
            let calls = Arc::clone(&calls);
            spawn(move || {
                calls.begin();
                calls.settle();
            })
        });
        calls.look();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(calls.scrape(), Scrape { started: 2, ended: 2 });
    });
}

#[test]
fn a_call_ended_on_another_thread_never_ends_before_it_starts() {
    check(|buckets| {
        let calls = Calls::new(buckets);
        let first = Arc::clone(&calls);
        let begun = spawn(move || {
            first.begin();
            let second = Arc::clone(&first);
            spawn(move || second.settle()).join().unwrap();
        });
        calls.look();
        begun.join().unwrap();
        assert_eq!(calls.scrape(), Scrape { started: 1, ended: 1 });
    });
}

#[test]
fn an_addition_seen_once_is_in_each_later_scrape() {
    check(|buckets| {
        let calls = Calls::new(buckets);
        let other = Arc::clone(&calls);
        let thread = spawn(move || {
            other.begin();
            other.settle();
        });
        let (first, second) = (calls.look(), calls.look());
        assert!(second.started >= first.started && second.ended >= first.ended, "{first:?} {second:?}");
        thread.join().unwrap();
    });
}

#[test]
fn a_stripe_that_an_ended_thread_hands_on_keeps_what_is_in_it() {
    check(|buckets| {
        let calls = Calls::new(buckets);
        // With this one, more than there are stripes to lease: the second has that of the first, if the first has ended.
        calls.begin();
        let threads = [0; 2].map(|_| {
            let calls = Arc::clone(&calls);
            spawn(move || calls.begin())
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        calls.settle();
        assert_eq!(calls.scrape(), Scrape { started: 3, ended: 1 });
    });
}

#[test]
fn threads_that_share_a_stripe_lose_nothing_to_each_other() {
    check(|buckets| {
        let calls = Calls::new(buckets);
        calls.begin();
        let holder = Arc::clone(&calls);
        // It leases the last stripe, and holds it until the others have ended.
        let holder = spawn(move || {
            holder.begin();
            let others = [0; 2].map(|_| {
                let calls = Arc::clone(&holder);
                spawn(move || calls.begin())
            });
            others.into_iter().for_each(|other| other.join().unwrap());
        });
        holder.join().unwrap();
        assert_eq!(calls.scrape(), Scrape { started: 4, ended: 0 });
    });
}
