//! With the feature `off`, the attributes check their arguments (the programs in `tests/ui/fail` still fail) and return the item.

#![cfg(feature = "off")]

use monitor_runtime::{track_agent, track_skill};

#[track_agent("off_agent", fields(length = text.len()))]
fn agent(text: &str) -> usize {
    text.len()
}

struct Tool;

#[track_skill]
impl Tool {
    #[track("off_skill")]
    fn call(&self) -> u8 {
        let _ = self;
        1
    }

    #[track(skip)]
    fn skipped(&self) -> u8 {
        let _ = self;
        2
    }
}

#[test]
fn nothing_is_counted_and_everything_runs() {
    assert_eq!(agent("ab"), 2);
    assert_eq!(Tool.call() + Tool.skipped(), 3);
    let scrape = monitor_runtime::metrics::render();
    for left_out in ["off_agent", "off_skill", "Tool::"] {
        assert!(!scrape.contains(left_out), "{left_out} was counted");
    }
}
