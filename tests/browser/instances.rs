//! Several instances: this process, one more of this executable, and one that is gone.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::PoisonError;
use std::{env, io};

use monitor_runtime::{Dashboard, Monitor, Peers};
use serde_json::json;

use crate::driver::Browser;
use crate::{ONE, plan};

/// Set in a process that is an instance.
const IS_INSTANCE: &str = "MONITOR_TEST_INSTANCE";

/// Serves its page until its input ends.
#[test]
#[ignore = "is another instance in other tests"]
fn another_instance() {
    if env::var_os(IS_INSTANCE).is_none() {
        return;
    }
    let monitor = Monitor::builder().service("agents", "9.8.7").admin_port(0);
    let monitor = monitor.dashboard(Dashboard::new()).build().unwrap();
    plan("green tea").unwrap();
    println!("\nlistens {}", monitor.admin_address().unwrap());
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Another instance; it ends when this is dropped.
struct Instance {
    process: Child,
    address: SocketAddr,
    /// The harness of the instance writes again after a minute, and would end if nobody could read that.
    _output: BufReader<ChildStdout>,
}

impl Instance {
    fn start() -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "instances::another_instance", "--ignored", "--nocapture"]);
        let mut process = command
            .env(IS_INSTANCE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut lines = output.by_ref().lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.strip_prefix("listens ")?.parse().ok()).unwrap();
        Self { process, address, _output: output }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The texts of the cells of the strip, row by row.
const ROWS: &str =
    "[...document.querySelectorAll('table[aria-label=Instances] tbody tr')].map((row) => row.innerText)";

#[test]
fn other_instances_are_rows_and_pages_of_their_own() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let other = Instance::start();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let peers = Peers::list([other.address, gone].map(|address| address.to_string()));
    let monitor = Monitor::builder().admin_port(0).dashboard(Dashboard::new().peers(peers)).build().unwrap();
    let browser = Browser::of(&monitor);
    browser.open("");
    browser.settled();
    let pid = other.process.id();
    browser.until(&format!(
        "{ROWS}.length === 4 && {ROWS}[1].includes('pid {pid}') && {ROWS}[1].includes('9.8.7')"
    ));
    browser.until(&format!("{ROWS}[2].includes('{gone}') && {ROWS}[2].includes('silent since ')"));
    browser.until(&format!("{ROWS}[3].includes('all together') && {ROWS}[3].includes('2 of 3 answer')"));
    browser.until("document.querySelector('.who').innerText.includes('1 of 3 instances')");
    for width in [320, 1_280] {
        browser.resize(width, 900);
        assert_eq!(browser.eval("document.scrollingElement.scrollWidth <= innerWidth"), true, "{width}");
    }
    browser.assert_no_faults();

    browser.eval(&format!("document.querySelector('a.row[href$=\"/i/{}/\"]').click()", other.address));
    browser.until(&format!("location.pathname === '/monitor/i/{}/'", other.address));
    browser.settled();
    browser.until(&format!("document.querySelector('.who').innerText.includes('pid {pid} ')"));
    browser.until("document.querySelector('.dot').innerText.includes('live')");
    browser.until("document.querySelector('table[aria-label=Agents]')?.innerText.includes('planner')");
    assert_eq!(browser.eval("document.querySelector('table[aria-label=Instances]')"), json!(null));
    // Its own links stay within it.
    browser.eval("document.querySelector('nav.screens a[href$=\"/runs\"]').click()");
    browser.until(&format!("location.pathname === '/monitor/i/{}/runs'", other.address));
    browser.until("document.querySelector('table[aria-label=Runs]')?.innerText.includes('planner')");
    browser.assert_no_faults();
    browser.eval("document.querySelector('.who a').click()");
    browser.until(&format!("location.pathname === '/monitor/' && {ROWS}.length === 4"));
    browser.assert_no_faults();
}
