//! The page of one run: every call can be reached, and every text can be read and taken along.

use std::fmt;
use std::sync::PoisonError;

use monitor_runtime::{Dashboard, Monitor, run, track_agent, track_skill};
use serde_json::json;

use crate::ONE;
use crate::driver::Browser;

const ESCAPE: &str = "\u{e00c}";

const TRACE: &str = "cannot read:\n\tat line 1\n\tat line 2";

#[track_skill("read_line")]
fn read_line(nth: usize) -> Result<(), String> {
    if nth == 9 { Err(TRACE.to_owned()) } else { Ok(()) }
}

#[track_skill(id = id)]
fn turn(id: &str) {}

#[track_skill("ask")]
fn ask(fails: bool) -> Result<(), String> {
    if fails { Err("busy".to_owned()) } else { Ok(()) }
}

struct Poem;

impl fmt::Debug for Poem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("first\nsecond")
    }
}

#[track_skill("wait", record(poem))]
async fn wait(poem: Poem) {
    let _ = poem;
    std::future::pending::<()>().await;
}

#[track_agent("reader")]
fn read_lines() {
    let _ = ask(true);
    let _ = ask(true);
    let _ = ask(false);
    // A call that is dropped.
    {
        let mut waiting = Box::pin(wait(Poem));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(Future::poll(waiting.as_mut(), &mut context).is_pending());
    }
    for page in 0..60 {
        turn(&format!("page_{page}"));
    }
    for nth in 0..12 {
        let _ = read_line(nth);
    }
}

#[track_agent("mute")]
fn keep_quiet() {}

#[test]
fn every_call_can_be_reached_and_every_text_be_read() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _log = monitor_runtime::logging::init();
    tracing::info!("there are log lines");
    let dashboard = Dashboard::new().show_content(true);
    let monitor = Monitor::builder().admin_port(0).dashboard(dashboard).build().unwrap();
    keep_quiet();
    read_lines();
    let kept = run::started().unwrap().newest();
    let run = kept.iter().find(|run| run.agent() == "reader").unwrap();
    let (id, failed) = (run.id(), run.nodes().iter().position(|node| node.error() == Some(TRACE)).unwrap());
    let browser = Browser::of(&monitor);
    browser.resize(1_280, 900);

    // From a list with a filter, and back to it.
    browser.open("runs?agent=mute");
    browser.settled();
    browser.eval("document.querySelector('a.row').click()");
    browser.until("document.querySelector('[role=treeitem]')");
    browser.until("document.body.innerText.includes('This run has logged nothing.')");
    browser.press(ESCAPE);
    browser.until("location.pathname.endsWith('/runs') && location.search === '?agent=mute'");

    // A link to a call in a folded group opens it.
    browser.open(&format!("runs/{id}?node={failed}&lines=node"));
    browser.until("document.querySelector('[role=treeitem][aria-selected=true]')?.ariaLevel === '3'");
    let error = "document.querySelector('.details .error').textContent";
    assert_eq!(browser.eval(error), TRACE);
    let badges = "[...document.querySelectorAll('.line .badge')].map((badge) => badge.textContent)";
    browser.eval("document.querySelector('.rows').scrollTop = 0");
    for badge in ["attempt 2/3", "attempt 3/3", "cancelled"] {
        browser.until(&format!("{badges}.includes('{badge}')"));
    }
    browser.eval(
        "[...document.querySelectorAll('[role=treeitem]')].find((row) => row.textContent.includes('wait')).click()",
    );
    browser.until("document.querySelector('.details .content')?.textContent.includes('first\\nsecond')");

    browser.eval(
        "[...document.querySelectorAll('[role=treeitem]')].find((row) => row.textContent.includes('page_')).click()",
    );
    browser.until("document.body.innerText.includes('This call has logged nothing.')");

    // The keys stay with the tree when the row that was clicked leaves it.
    browser.eval("document.querySelector('[role=treeitem]').focus()");
    browser.eval("document.querySelector('.rows').scrollTop = 1e6");
    browser.until(
        "document.querySelector('[role=treeitem]').id !== 'row-0' && document.activeElement.role === 'tree'",
    );

    // What fails is said, and is no fault of the page.
    let click = |text: &str| {
        browser.eval(&format!(
            "[...document.querySelectorAll('.actions button')].find((button) => button.textContent === '{text}').click()"
        ));
    };
    let said = "document.querySelector('.said').textContent";
    browser.eval("Object.defineProperty(navigator, 'clipboard', { value: undefined }) && true");
    click("copy as text");
    browser.until(&format!("['copied', '✗ the browser refuses to copy'].includes({said})"));
    browser.eval("(window.fetch = () => Promise.reject(new TypeError('gone')), true)");
    for text in ["pin", "copy as text"] {
        browser.until(&format!("{said} === ''"));
        click(text);
        browser.until(&format!("{said} === '✗ the service does not answer'"));
    }
    browser.assert_no_faults();
}

#[test]
fn texts_and_times_are_shown_as_what_they_are() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = crate::monitor();
    let browser = Browser::of(&monitor);
    browser.open("health");
    browser.settled();
    let page = |expression: &str| {
        browser.eval(&format!("import('/monitor/assets/base.js').then((page) => {expression})"))
    };
    let text = "'a\\n\\tb\\u061c\\u200d\\u{e0041}c'";
    assert_eq!(page(&format!("page.visible({text})")), json!("a ⏎  b\\u{61c}\\u{200d}\\u{e0041}c"));
    assert_eq!(page(&format!("page.visible({text}, true)")), json!("a\n\tb\\u{61c}\\u{200d}\\u{e0041}c"));
    assert_eq!(page("/^\\d\\d:\\d\\d:\\d\\d$/.test(page.clock(page.now()))"), true);
    assert_eq!(page("/^\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d$/.test(page.clock(page.now() - 2 * 864e8))"), true);
    browser.until("/\\d passed/.test(document.querySelector('.check').innerText)");
    browser.assert_no_faults();
}
