//! Rows that come, go and are counted while somebody looks.

use std::sync::PoisonError;
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use monitor_runtime::{run, track_agent};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::driver::Browser;
use crate::{ONE, edit, monitor, plan};

/// Longer than the pause between two events or reads of a list.
const LONG: Duration = Duration::from_millis(2_500);

/// Runs that go on until their gates open. No two begin at the same microsecond, by which the page orders them.
fn start(count: usize) -> (Vec<oneshot::Sender<()>>, JoinHandle<()>) {
    let (gates, opened): (Vec<_>, Vec<_>) = (0..count).map(|_| oneshot::channel()).unzip();
    let runs = async move {
        let mut runs: JoinSet<_> = opened.into_iter().map(edit_after_a_pause).collect();
        while runs.join_next().await.is_some() {}
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    (gates, thread::spawn(move || runtime.block_on(runs)))
}

async fn edit_after_a_pause(gate: oneshot::Receiver<()>) -> Result<usize, String> {
    sleep(Duration::from_millis(2));
    edit(gate).await
}

/// The last parts of the links of a table's rows.
fn linked(table: &str) -> String {
    format!(
        "[...document.querySelectorAll('table[aria-label=\"{table}\"] a.row')].map((row) => row.href.split('/').at(-1))"
    )
}

/// The ids of the runs that go on, the oldest first.
fn running() -> Value {
    let running = run::started().unwrap().running();
    running.iter().map(|run| run.id().to_string()).collect::<Vec<_>>().into()
}

#[test]
fn runs_that_go_on_keep_their_order_and_their_place_under_the_pointer() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    let (mut gates, runs) = start(105);
    while running().as_array().unwrap().len() < 105 {
        sleep(Duration::from_millis(1));
    }
    let browser = Browser::of(&monitor);
    browser.open("");
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    // The first event has all rows again.
    sleep(LONG);
    let oldest = Value::from(running().as_array().unwrap()[..100].to_vec());
    assert_eq!(browser.eval(&linked("Running now")), oldest);
    browser.until("document.querySelector('.running header a').textContent === '+5 more'");

    browser.eval("document.querySelector('.running header a').click()");
    let button = "[...document.querySelectorAll('main button')].find((button) => button.textContent === '5 further runs')";
    browser.until(button);
    assert_eq!(browser.eval(&linked("Runs")), oldest);
    browser.eval(&format!("{button}.click()"));
    browser.until(&format!("{}.length === 105", linked("Runs")));
    let point = |event: &str| {
        browser.eval(&format!(
            "document.querySelector('main > section').dispatchEvent(new PointerEvent('{event}'))"
        ));
    };
    point("pointerenter");
    gates.remove(0).send(()).unwrap();
    browser.until("document.querySelector('table[aria-label=Runs] tbody tr').innerText.includes('unknown')");
    assert_eq!(browser.eval(&format!("{}.length", linked("Runs"))), 105, "no row moves under the pointer");
    point("pointerleave");
    browser.until(&format!("{}.length === 104", linked("Runs")));
    browser.assert_no_faults();
    for gate in gates {
        gate.send(()).unwrap();
    }
    runs.join().unwrap();
}

#[track_agent("tester")]
fn test(is_right: bool) -> Result<(), String> {
    if is_right { Ok(()) } else { Err("wrong".to_owned()) }
}

#[test]
fn ended_runs_are_counted_once_and_if_they_pass_the_filters() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    let fail = || test(false).unwrap_err();
    fail();
    let browser = Browser::of(&monitor);
    browser.open("runs?status=failed&agent=tester");
    browser.settled();
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    let ended = "document.querySelector('.chip.new').textContent";
    // The run that the table shows is told as well.
    sleep(LONG);
    assert_eq!(browser.eval(ended), "up to date");
    test(true).unwrap();
    fail();
    test(true).unwrap();
    fail();
    browser.until(&format!("{ended} === '2 ended ▲'"));
    sleep(LONG);
    assert_eq!(browser.eval(ended), "2 ended ▲");
    // A run that ends before the table is read, and is told after it.
    let before = browser.eval(&linked("Runs")).as_array().unwrap().len();
    fail();
    browser.eval("document.querySelector('.chip.new').click()");
    browser.until(&format!("{}.length === {}", linked("Runs"), before + 3));
    sleep(LONG);
    assert_eq!(browser.eval(ended), "up to date");
    browser.assert_no_faults();
}

#[test]
fn a_table_shows_the_columns_that_the_page_has_no_room_for() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_runtime, monitor) = monitor();
    plan("green tea").unwrap();
    let browser = Browser::of(&monitor);
    let retries = "[...document.querySelectorAll('th')].find((cell) => cell.innerText.includes('Retries'))?.offsetWidth";
    for width in [320, 1_280] {
        browser.resize(width, 900);
        browser.open("runs");
        browser.settled();
        assert_eq!(browser.eval(&format!("{retries} ?? 0")), 0);
        browser.eval("document.querySelector('.columns').click()");
        browser.until(&format!("{retries} > 0"));
        let wide = browser.eval("document.scrollingElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= width.into(), "{wide} at {width}");
    }
    browser.assert_no_faults();
}

#[test]
fn the_page_says_only_what_is_known_of_a_time_or_of_requests() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, monitor) = monitor();
    plan("").unwrap_err();
    let browser = Browser::of(&monitor);
    // A time ten minutes ago is read by the points of ten seconds.
    let now = browser.eval("Date.now()").as_u64().unwrap() * 1_000;
    browser.open(&format!("?from={}&to={}", now - 600_000_000, now - 590_000_000));
    browser.until("performance.getEntriesByType('resource').some(({ name }) => name.includes('range=900'))");
    browser.until("document.body.innerText.includes('None of the last ')");
    browser.assert_no_faults();

    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/tea", get(async || plan("tea").unwrap()));
    let _log = monitor_runtime::logging::init();
    let served = runtime.spawn(async move { monitor.serve(listener, app).await });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ask = || {
        let traced = format!("00-{trace}-00f067aa0ba902b7-01");
        ureq::get(format!("http://{address}/tea")).header("traceparent", traced).call().unwrap()
    };
    ask();
    browser.open("calls");
    let row = "[...document.querySelectorAll('main tr')].find((row) => row.innerText.includes('/tea'))";
    browser.until(row);
    let links = format!("[...{row}.querySelectorAll('a')].map((a) => a.className)");
    assert_eq!(browser.eval(&links), json!(["row"]), "no cell leads to samples");
    browser.eval(&format!("{row}.querySelector('a').click()"));
    browser.until("document.body.innerText.includes('none is kept as a sample')");

    // Another run of the same trace comes to an open page.
    browser.open(&format!("runs/{trace}"));
    browser.until("document.querySelectorAll('[role=treeitem]').length === 3");
    browser.until("document.querySelector('.dot').textContent.includes('live')");
    ask();
    browser.until("document.querySelectorAll('[aria-label=\"Runs of this trace\"] a').length === 2");
    browser.eval("document.querySelector('[aria-label=\"Runs of this trace\"] a:last-child').click()");
    browser
        .until("location.search === '?nth=1' && document.querySelectorAll('[role=treeitem]').length === 3");
    browser.assert_no_faults();
    served.abort();
}
