//! An address may hold anything, and the page stays usable.

use std::sync::PoisonError;

use monitor_runtime::{run, track_agent, track_skill};
use serde_json::json;

use crate::driver::Browser;
use crate::{monitor, run_a_hundred};

#[test]
fn an_address_out_of_range_does_not_hang_the_page() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    run_a_hundred();
    let id = run::started().unwrap().newest()[0].id();
    let browser = Browser::of(&monitor);
    for range in ["?from=0&to=9e18", "?from=9e18&to=0", "?from=x&to=y", "?range=9e18"] {
        browser.open(range);
        browser.settled();
        assert_eq!(browser.eval("document.querySelectorAll('.running').length"), 1, "{range}");
        browser.assert_no_faults();
    }
    for choice in ["nth=-1", "nth=9", "nth=0.5", "nth=x", "node=-1", "node=length", "node=9e9"] {
        browser.open(&format!("runs/{id}?{choice}"));
        browser.until("document.querySelectorAll('[role=treeitem]').length > 1");
        browser.assert_no_faults();
    }
}

#[test]
fn a_run_id_that_is_none_says_so_and_the_next_screen_works() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    let browser = Browser::of(&monitor);
    browser.open("runs/7");
    browser.until("document.querySelector('.fault')?.textContent.includes('is not a run id')");
    browser.until("document.querySelector('.dot').textContent.includes('refused')");
    browser.press("1");
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    browser.open("nowhere");
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    browser.assert_no_faults();
}

#[track_skill("read_page")]
fn read_page() {}

#[track_skill("take_note")]
fn take_note() {}

#[track_agent("shelf")]
fn read_shelf() {
    take_note();
    (0..12).for_each(|_| read_page());
}

const DOWN: &str = "\u{e015}";
const UP: &str = "\u{e013}";
const LEFT: &str = "\u{e012}";
const RIGHT: &str = "\u{e014}";
const HOME: &str = "\u{e011}";
const END: &str = "\u{e010}";
const ENTER: &str = "\u{e007}";

#[test]
fn keys_reach_and_open_every_row_of_the_tree() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    read_shelf();
    let id = run::started().unwrap().newest()[0].id();
    let browser = Browser::of(&monitor);
    browser.open(&format!("runs/{id}"));
    browser.until("document.querySelectorAll('[role=treeitem]').length === 3");
    browser.eval("document.querySelector('[role=tree]').focus()");
    let active = "(() => { const row = document.getElementById(document.querySelector('[role=tree]').getAttribute('aria-activedescendant')); \
                  return [row.querySelector('.name').textContent.match(/shelf|take_note|read_page/)[0], row.ariaLevel, row.ariaPosInSet, row.ariaSetSize, row.ariaExpanded].join(' ') })()";
    let folded = "read_page 2 2 2 false";
    let unfolded = "read_page 2 2 2 true";
    for (key, row) in [
        (HOME, "shelf 1 1 1 "),
        (DOWN, "take_note 2 1 2 "),
        (DOWN, folded),
        (RIGHT, unfolded),
        (RIGHT, "read_page 3 1 12 "),
        (END, "read_page 3 12 12 "),
        (DOWN, "read_page 3 12 12 "),
        (LEFT, unfolded),
        (LEFT, folded),
        (ENTER, unfolded),
        (ENTER, folded),
        (UP, "take_note 2 1 2 "),
        (LEFT, "shelf 1 1 1 "),
        (RIGHT, "take_note 2 1 2 "),
    ] {
        browser.press(key);
        browser.until(&format!("{active} === {}", json!(row)));
    }
    browser.until("new URLSearchParams(location.search).get('node') === '1'");
    browser.assert_no_faults();
}
