//! Invariants of the ring in every interleaving.
//!
//! The main thread writes and a spawned one reads, not the other way round: loom runs the main thread first, and takes no
//! notice of a load that the other thread's own load of the same atomic follows. It never lets a load see a later store
//! either, so no model here shows that `tail` needs its release.

use loom::sync::Arc;
use loom::thread;

use crate::ring::{Pushed, Ring, WORDS};

/// Runs the model through every interleaving with at most this number of switches between threads.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    builder.check(model);
}

/// Pushes a record whose words all are `word`. Returns whether it was kept.
fn push(ring: &Ring, word: u64) -> bool {
    ring.push(&[word; WORDS]) != Pushed::Lost
}

/// Takes all records, none of which may be torn.
fn drained(ring: &Ring) -> Vec<u64> {
    let mut seen = Vec::new();
    ring.drain(|record| {
        assert!(record.iter().all(|word| *word == record[0]), "torn: {record:?}");
        seen.push(record[0]);
    });
    seen
}

#[test]
fn a_reader_sees_whole_records_in_order_and_the_newest_are_lost() {
    check(2, || {
        let ring = Arc::new(Ring::new(2));
        let reading = Arc::clone(&ring);
        let reader = thread::spawn(move || drained(&reading));
        let kept: Vec<u64> = [1, 2, 3].into_iter().filter(|word| push(&ring, *word)).collect();
        let mut seen = reader.join().unwrap();
        seen.extend(drained(&ring));
        assert_eq!(seen, kept);
        assert!(kept.starts_with(&[1, 2]), "{kept:?}");
        assert_eq!(ring.lost(), 3 - kept.len() as u64);
    });
}

#[test]
fn a_slot_is_not_written_again_while_it_is_read() {
    check(3, || {
        let ring = Arc::new(Ring::new(1));
        push(&ring, 1);
        let reading = Arc::clone(&ring);
        let reader = thread::spawn(move || drained(&reading));
        let kept = if push(&ring, 2) { vec![1, 2] } else { vec![1] };
        let mut seen = reader.join().unwrap();
        seen.extend(drained(&ring));
        assert_eq!(seen, kept);
    });
}

#[test]
fn writers_that_share_a_ring_lose_only_what_they_are_told() {
    check(2, || {
        let ring = Arc::new(Ring::new(2));
        let other = Arc::clone(&ring);
        let other = thread::spawn(move || other.try_push(&[1; WORDS]).is_some());
        let is_kept = ring.try_push(&[2; WORDS]).is_some();
        let kept = [other.join().unwrap(), is_kept];
        let mut seen = drained(&ring);
        seen.sort_unstable();
        let expected: Vec<u64> =
            [1, 2].into_iter().zip(kept).filter_map(|(word, kept)| kept.then_some(word)).collect();
        assert_eq!(seen, expected);
        assert!(!seen.is_empty());
    });
}
