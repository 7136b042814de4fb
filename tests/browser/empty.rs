//! The live page of a process in which nothing has happened: each screen says why it is empty, and what to write.

mod driver;

use driver::Browser;
use monitor_runtime::{Dashboard, Monitor};

#[test]
fn each_screen_says_why_it_is_empty_and_what_to_write() {
    let monitor = Monitor::builder().admin_port(0).dashboard(Dashboard::new()).build().unwrap();
    let browser = Browser::of(&monitor);
    for (screen, why, code) in [
        ("", "No #[track_agent] function has been called", "#[track_agent("),
        ("runs", "No #[track_agent] function has been called", "#[track_agent("),
        ("calls", "has been called", "#[track_"),
        ("models", "No model has been called yet.", "#[track_model("),
        ("health", "No check is registered.", "Monitor::builder().check"),
        ("logs", "No log line is kept.", "logging::init()"),
        ("runs/0123456789abcdef0123456789abcdef", "is not kept", "newest 50"),
        ("nowhere", "There is no such page.", ""),
    ] {
        browser.open(screen);
        for said in [why, code] {
            browser.until(&format!("document.body.innerText.includes({})", serde_json::json!(said)));
        }
        browser.assert_no_faults();
    }
}
