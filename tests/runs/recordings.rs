//! Runs in a `Recording`, and the allocations of a recorded call.

use allocation_counter::measure;
use monitor_runtime::testing::Recording;
use monitor_runtime::{track_agent, track_skill};

use crate::support::subprocess::in_own_process;

#[track_skill("recordings_look")]
fn look(at: usize) -> usize {
    at + 1
}

#[track_agent("recordings_walk")]
fn walk(steps: usize) -> usize {
    (0..steps).map(look).sum()
}

#[test]
fn a_recording_has_the_runs_since_its_start_in_order() {
    walk(1);
    let recording = Recording::with_runs();
    walk(2);
    walk(0);
    // Tests without a recording run beside this one.
    let own = recording.runs().into_iter().filter(|run| run.agent() == "recordings_walk");
    let trees: Vec<_> = own.map(|run| run.to_string()).collect();
    let tree = "recordings_walk ✓\n├─ skill recordings_look ✓\n└─ skill recordings_look ✓";
    assert_eq!(trees, [tree, "recordings_walk ✓"]);
}

#[test]
#[should_panic(expected = "this recording has no runs: start it by `Recording::with_runs()`")]
fn a_recording_without_runs_says_so() {
    Recording::start().runs();
}

#[test]
fn a_recorded_call_allocates_nothing() {
    // Elsewhere the subscriber of another test may be asked about the calls.
    in_own_process(|| {
        let _recording = Recording::with_runs();
        walk(100);
        assert_eq!(measure(|| assert_eq!(walk(1_000), 500_500)).count_total, 0);
    });
}
