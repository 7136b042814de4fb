//! Totals are exact under concurrent writers and readers.

use std::sync::atomic::{AtomicBool, Ordering};

use monitor_runtime::{metrics, track_agent};

use crate::support::exposition::Exposition;

const WRITERS: u32 = 8;
const CALLS: u32 = 20_000;

#[track_agent("contended", log_errors = false)]
fn contended(number: u32) -> Result<(), u32> {
    if number.is_multiple_of(4) { Err(number) } else { Ok(()) }
}

#[track_agent(id = ["even", "odd"][number as usize % 2])]
fn contended_by_name(number: u32) {}

/// The values of the contended agent in one scrape.
fn scrape() -> (f64, f64, f64) {
    let scrape = Exposition::parse(&metrics::render()).expect("a scrape during writes is well formed");
    let total = |status| {
        scrape
            .value("agent_executions_total", &[("agent_id", "contended"), ("status", status)])
            .unwrap_or(0.0)
    };
    let active = scrape.value("active_agents", &[("agent_id", "contended")]).unwrap_or(0.0);
    (total("success"), total("error"), active)
}

#[test]
fn no_call_of_eight_threads_is_lost_while_a_ninth_scrapes() {
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut before = (0.0, 0.0, 0.0);
            let mut scrapes = 0_u32;
            while !is_done.load(Ordering::Relaxed) || scrapes == 0 {
                let (success, error, active) = scrape();
                assert!(success >= before.0 && error >= before.1, "a total stepped back");
                // The gauge may count calls that ended while it was read, and no others.
                let ended_since = success + error - before.0 - before.1;
                assert!(before.2 <= f64::from(WRITERS) + ended_since, "{} in flight", before.2);
                assert!(active >= 0.0);
                before = (success, error, active);
                scrapes += 1;
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    for number in 0..CALLS {
                        let _ = contended(number);
                        contended_by_name(number);
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        scraper.join().unwrap();
    });

    let all = f64::from(WRITERS * CALLS);
    assert_eq!(scrape(), (all * 0.75, all * 0.25, 0.0));
    let scrape = Exposition::parse(&metrics::render()).unwrap();
    for name in ["even", "odd"] {
        let labels = [("agent_id", name), ("status", "success")];
        assert_eq!(scrape.value("agent_executions_total", &labels), Some(all / 2.0));
        assert_eq!(scrape.value("agent_execution_duration_seconds_count", &labels), Some(all / 2.0));
    }
}

#[track_agent("brief")]
fn brief(number: u32) {
    std::hint::black_box(number);
}

#[test]
fn counts_of_ended_threads_are_kept_and_added_to() {
    for generation in 1..=40 {
        std::thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| (0..100).for_each(brief));
            }
        });
        let scrape = Exposition::parse(&metrics::render()).unwrap();
        let labels = [("agent_id", "brief"), ("status", "success")];
        let all = f64::from(generation * WRITERS * 100);
        assert_eq!(scrape.value("agent_executions_total", &labels), Some(all));
        assert_eq!(scrape.value("agent_execution_duration_seconds_count", &labels), Some(all));
        assert_eq!(scrape.value("active_agents", &labels[..1]), Some(0.0));
    }
}
