//! The memory that the metrics reference says a family takes at most, against what the process really takes.
//!
//! One test, in a process of its own, since it is the process that is measured.

#![allow(clippy::semicolon_if_nothing_returned, reason = "the form is what is tested")]
#![cfg(target_os = "linux")]

use std::fs;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::pin::pin;

use futures_util::{FutureExt as _, Stream, StreamExt as _, stream};
use monitor_runtime::track_agent;

use crate::support::subprocess::in_own_process;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

/// As the page says, and 100 to spare for what the allocator rounds up to pages.
const LABEL_SETS: usize = 1_900;

#[track_agent(id = id, log_errors = false)]
fn agent(id: &str, result: Result<(), ()>) -> Result<(), ()> {
    result
}

#[track_agent(id = id)]
fn panics(id: &str) {
    panic!("on purpose")
}

#[track_agent(id = id)]
async fn waits(id: &str) {
    std::future::pending().await
}

#[track_agent(id = id)]
fn streams(id: &str) -> impl Stream<Item = u8> {
    stream::iter([1])
}

/// Sees all outcomes, and a first item.
fn use_up(id: &str) {
    let _ = (agent(id, Ok(())), agent(id, Err(())));
    assert!(catch_unwind(|| panics(id)).is_err());
    assert!(pin!(waits(id)).now_or_never().is_none());
    assert_eq!(streams(id).count().now_or_never(), Some(1));
}

/// An id as long as it may be, of characters that take two bytes in the text form.
fn longest_id(number: usize) -> String {
    format!("{number:\"<256}")
}

#[test]
fn a_family_takes_the_memory_that_the_page_states() {
    in_own_process(|| {
        set_hook(Box::new(|_| ()));
        use_up(&longest_id(LABEL_SETS));
        let before = resident_bytes();
        (0..LABEL_SETS).for_each(|number| use_up(&longest_id(number)));
        let grown = resident_bytes() - before;
        let _ = take_hook();

        let (cells, more) = stated();
        let least = LABEL_SETS * cells * stripes();
        let most = LABEL_SETS * (cells * stripes() + more);
        assert!((least..=most).contains(&grown), "{grown} is not in {least}..={most}");
    });
}

/// The page's figures for an agent: bytes of cells a stripe, and bytes of a label set beside its cells.
fn stated() -> (usize, usize) {
    let page = fs::read_to_string(PAGE).unwrap();
    let agents = page.lines().find(|line| line.starts_with("| agents |")).unwrap();
    let cells = agents.rsplit('|').nth(1).unwrap().trim().strip_suffix(" × S").unwrap();
    let more = page.split("bookkeeping add less than ").nth(1).unwrap().split(" bytes").next().unwrap();
    (number(cells), number(more))
}

fn number(text: &str) -> usize {
    text.replace(',', "").parse().unwrap()
}

/// As the page defines them.
fn stripes() -> usize {
    let threads = std::thread::available_parallelism().unwrap().get().min(64);
    threads + 1 + threads.div_ceil(4)
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    // Pages of the program's file come and go with what else the machine does.
    let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    number(resident.trim().strip_suffix(" kB").unwrap()) * 1_024
}
