//! Text of others is shown as text, whatever it looks like.

use std::sync::PoisonError;

use monitor_runtime::health::check_fn;
use monitor_runtime::{Dashboard, Monitor, run, track_agent, track_skill};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::driver::{Browser, SCREENS};

const MARKUP: &str = "<img src=x onerror=\"window.hacked = 1\">";

#[track_skill(id = id)]
fn step(id: &str, error: String) -> Result<(), String> {
    tracing::warn!(field = MARKUP, "</script>{MARKUP}\u{202e}\0");
    Err(error)
}

#[track_agent(id = id)]
fn act(id: &str, error: String) -> Result<(), String> {
    step(id, error)
}

#[test]
fn text_of_others_is_no_markup() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let _log = monitor_runtime::logging::init();
    let check = check_fn("index", async || Err::<(), _>(std::io::Error::other(MARKUP)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let builder = Monitor::builder().admin_port(0).check(check).dashboard(Dashboard::new());
    let monitor = runtime.block_on(async { builder.build().unwrap() });
    let long = "long ".repeat(200_000);
    for error in [
        MARKUP.to_owned(),
        "</script><script>window.hacked = 1</script>".to_owned(),
        "\u{202e}\0\u{7}".to_owned(),
        long,
    ] {
        act(MARKUP, error).unwrap_err();
    }
    let id = run::started().unwrap().failed(MARKUP)[0].id().to_string();
    let browser = Browser::of(&monitor);
    let (run, call) = (format!("runs/{id}"), calls_of_agent(MARKUP));
    for screen in SCREENS.into_iter().chain([&*run, &*call]) {
        browser.open(screen);
        browser.settled();
        assert_eq!(
            browser.eval("[window.hacked ?? null, document.querySelectorAll('img').length]"),
            json!([null, 0])
        );
        browser.assert_no_faults();
    }
    browser.open("runs");
    browser.until(&format!("document.body.innerText.includes({})", json!(MARKUP)));
    // Trusted Types refuse markup from text, so a fault of the page cannot let it in either.
    let refused = "(() => { try { document.createElement('p').innerHTML = '<b>'; return false } catch { return true } })()";
    assert_eq!(browser.eval(refused), true);
}

/// The path of an agent's calls.
fn calls_of_agent(agent: &str) -> String {
    format!("calls/agent/{}", utf8_percent_encode(agent, NON_ALPHANUMERIC))
}
