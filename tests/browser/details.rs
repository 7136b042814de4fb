//! What a run used, said and worked with.

use std::sync::PoisonError;

use monitor_runtime::genai::{ModelReply, Usage};
use monitor_runtime::health::check_fn;
use monitor_runtime::{Dashboard, Monitor, run, track_agent, track_model, track_skill};

use crate::ONE;
use crate::driver::Browser;

struct Reply;

impl ModelReply for Reply {
    fn usage(&self) -> Option<Usage> {
        Some(Usage::new(812, 96).cost_usd(0.25))
    }
}

#[track_model("gpt-5", provider = "openai")]
fn complete() -> Reply {
    Reply
}

#[track_skill("fetch", record(page, result))]
fn fetch(page: &str) -> usize {
    run::retry("rate_limited");
    page.len()
}

#[track_agent("dealer")]
fn deal(times: usize) {
    run::note("replanned <twice>");
    fetch("green tea & cake");
    (0..times).for_each(|_| {
        complete();
    });
}

#[test]
fn a_run_shows_its_contents_its_notes_and_its_use() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dashboard = Dashboard::new().show_content(true);
    let monitor = Monitor::builder().admin_port(0).dashboard(dashboard).build().unwrap();
    deal(1);
    deal(3);
    let id = run::started().unwrap().newest().iter().find(|run| run.agent() == "dealer").unwrap().id();
    let browser = Browser::of(&monitor);
    browser.open(&format!("runs/{id}?node=1"));
    let details = "document.querySelector('.details')?.innerText";
    browser.until(&format!("{details}.includes('\"green tea & cake\"') && {details}.includes('16')"));
    browser.until(&format!("{details}.includes('rate_limited')"));
    browser.until("document.querySelector('.rows .noted')?.title === 'replanned <twice>'");
    browser.open(&format!("runs/{id}?node=0"));
    browser.until(&format!("{details}.includes('into the run: replanned <twice>')"));
    browser.assert_no_faults();

    // Two runs with four calls of 908 tokens and a quarter of a dollar each.
    browser.resize(1_920, 900);
    browser.open("");
    let agents = "document.querySelector('table[aria-label=Agents]')?.innerText";
    browser.until(&format!("{agents}.includes('1,816') && {agents}.includes('$0.50')"));
    browser.assert_no_faults();
}

#[test]
fn the_banner_names_the_failing_check_and_leads_to_it() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let check = check_fn("vault", async || Err::<&str, _>(std::io::Error::other("sealed")));
    let builder = Monitor::builder().admin_port(0).check(check).dashboard(Dashboard::new());
    let monitor = runtime.block_on(async { builder.build().unwrap() });
    let browser = Browser::of(&monitor);
    browser.open("");
    browser.until("document.querySelector('.banner .bad')?.innerText.includes('vault')");
    assert_eq!(browser.eval("document.querySelector('.banner .quiet')"), serde_json::Value::Null);
    browser.eval("document.querySelector('.banner .bad a').click()");
    browser.until("location.pathname === '/monitor/health'");
    browser.until("document.querySelector('.check')?.innerText.includes('vault failed')");
    browser.assert_no_faults();
}
