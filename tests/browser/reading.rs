//! A person reads, types and looks away.

use std::sync::PoisonError;
use std::thread::sleep;
use std::time::Duration;

use monitor_runtime::{run, track_agent};
use serde_json::json;

use crate::driver::Browser;
use crate::{monitor, plan, run_a_hundred};

/// Counts in the store of the origin, which all tabs share, what a tab asks from then on, and whether it is hidden.
const COUNT: &str = "(() => {
    const noteHidden = () => { localStorage.hidden = document.hidden };
    const note = () => { localStorage.asked = Number(localStorage.asked) + 1 };
    localStorage.asked = 0;
    noteHidden();
    document.addEventListener('visibilitychange', noteHidden);
    const { fetch, EventSource } = window;
    window.fetch = (...given) => (note(), fetch(...given));
    window.EventSource = class extends EventSource { constructor(...given) { super(...given); note() } };
    return true;
})()";

const ASKED: &str = "Number(localStorage.asked)";

/// Longer than two pauses between the reads of any screen.
const LONG: Duration = Duration::from_millis(4_500);

#[test]
fn typing_survives_ticks() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    run_a_hundred();
    let browser = Browser::of(&monitor);
    browser.open("runs");
    browser.settled();
    browser.eval("document.querySelector('#search').focus()");
    // For longer than a tick, and quicker than the pause after which the address changes.
    for letter in "nothing to se".chars() {
        browser.press(&letter.to_string());
        sleep(Duration::from_millis(150));
    }
    // Another field waits for its own pause.
    browser.press("e");
    browser.eval("document.querySelector('.filter [placeholder=any]').focus()");
    browser.press("p");
    let asked = "(() => { const asked = new URLSearchParams(location.search); return [asked.get('q'), asked.get('agent')] })()";
    browser.until(&format!("{asked}.join() === 'nothing to see,p'"));
    let values = "[document.querySelector('#search').value, document.querySelector('.filter [placeholder=any]').value]";
    assert_eq!(browser.eval(values), json!(["nothing to see", "p"]));
    // The fields follow the address, and what was typed last stays on the screen that is left.
    browser.eval("document.querySelector('.empty a').click()");
    browser.until(&format!("{values}.join() === ','"));
    browser.eval(
        "(() => { const field = document.querySelector('#search'); field.value = 'late'; field.dispatchEvent(new InputEvent('input', { bubbles: true })); \
         document.querySelector('.screens a[href$=calls]').click() })()",
    );
    browser.until("location.pathname.endsWith('/calls')");
    sleep(Duration::from_millis(600));
    assert_eq!(browser.eval("location.search"), "");
    browser.assert_no_faults();
}

#[test]
fn a_hidden_and_a_paused_tab_make_no_requests() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    plan("green tea").unwrap();
    let browser = Browser::of(&monitor);
    browser.open("calls");
    browser.settled();
    browser.eval(COUNT);
    browser.until(&format!("{ASKED} > 1"));
    browser.press("p");
    browser.until("document.querySelector('.dot').textContent.includes('paused')");
    browser.rests_for(ASKED, LONG);
    browser.press("p");
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    // Another tab hides this one, and reads what the store says of it.
    let shown = browser.tab();
    browser.open_tab();
    browser.open("api/v1/schema");
    browser.until("localStorage.hidden === 'true'");
    browser.rests_for(ASKED, LONG);
    let asked = browser.eval(ASKED).as_u64().unwrap();
    browser.look_at(&shown);
    browser.until(&format!("{ASKED} > {asked} + 2"));
    browser.assert_no_faults();
}

#[track_agent(id = id)]
fn act(id: &str) {}

#[test]
fn older_runs_are_added_below() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    for id in ["ant", "bee", "cat", "dog", "eel"] {
        (0..50).for_each(|_| act(id));
    }
    let mut ids: Vec<_> = run::started().unwrap().newest().iter().map(|run| run.id().to_string()).collect();
    assert!(ids.len() > 200, "{}", ids.len());
    let browser = Browser::of(&monitor);
    browser.open("runs");
    browser.settled();
    let rows = "[...document.querySelectorAll('table[aria-label=Runs] a.row')].map((row) => row.href.split('/').at(-1))";
    for shown in (100..ids.len()).step_by(100).chain([ids.len()]) {
        browser.until(&format!("{rows}.length === {shown}"));
        browser.eval("[...document.querySelectorAll('main button')].find((button) => button.textContent === 'older runs')?.click()");
    }
    // Each is there once; runs of one trace share its id.
    ids.sort();
    assert_eq!(browser.eval(&format!("{rows}.sort()")), json!(ids));
    browser.assert_no_faults();
}
