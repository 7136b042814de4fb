//! A browser of Debian's `chromium`, driven by its `chromedriver`: <https://www.w3.org/TR/webdriver2/>.
#![allow(dead_code, reason = "every test file compiles all of it and uses its own part")]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use monitor_runtime::Monitor;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The longest wait for a condition: enough for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Every screen, by its path below the root of the page.
pub(crate) const SCREENS: [&str; 7] = ["", "runs", "calls", "models", "health", "logs", "about"];

const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// A browser; it ends when this is dropped.
pub(crate) struct Browser {
    /// The URL of the live page.
    root: String,
    /// The URL of all commands.
    session: String,
    agent: ureq::Agent,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser that looks at the live page of a monitor.
    pub(crate) fn of(monitor: &Monitor) -> Self {
        Self::at(&monitor.dashboard_url().expect("there is a live page"))
    }

    /// Starts a browser that looks at the live page at this URL.
    pub(crate) fn at(root: &str) -> Self {
        let driver = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<_> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        let session = format!("http://127.0.0.1:{}/session", driver.port);
        let capabilities = json!({ "alwaysMatch": { "goog:chromeOptions": { "args": flags } } });
        let begun = command(&agent, &session, &json!({ "capabilities": capabilities }));
        let session = format!("{session}/{}", begun["sessionId"].as_str().unwrap());
        Self { root: root.to_owned(), session, agent, _driver: driver, _profile: profile }
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        command(&self.agent, &format!("{}/{path}", self.session), body)
    }

    /// Opens a path below the root of the page.
    pub(crate) fn open(&self, path: &str) {
        self.command("url", &json!({ "url": format!("{}{path}", self.root) }));
    }

    /// Opens a tab, and looks at it from then on.
    pub(crate) fn open_tab(&self) {
        let tab = self.command("window/new", &json!({ "type": "tab" }));
        self.command("window", &json!({ "handle": tab["handle"] }));
    }

    /// The tab that is looked at.
    pub(crate) fn tab(&self) -> Value {
        let mut response = self.agent.get(format!("{}/window", self.session)).call().unwrap();
        let answer: Value = response.body_mut().read_json().unwrap();
        answer["value"].clone()
    }

    /// Looks at a tab, which hides the others.
    pub(crate) fn look_at(&self, tab: &Value) {
        self.command("window", &json!({ "handle": tab }));
        self.devtools("Page.bringToFront", &json!({}));
    }

    /// Presses keys, one after the other. Keys without a letter have the numbers of
    /// <https://www.w3.org/TR/webdriver2/#keyboard-actions>.
    pub(crate) fn press(&self, keys: &str) {
        let press = |key: char| {
            [
                json!({ "type": "keyDown", "value": key.to_string() }),
                json!({ "type": "keyUp", "value": key.to_string() }),
            ]
        };
        let presses: Vec<_> = keys.chars().flat_map(press).collect();
        self.command(
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": presses }] }),
        );
    }

    /// The value of an expression, or what a promise comes to.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        self.command("execute/sync", &json!({ "script": format!("return ({expression})"), "args": [] }))
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&self, expression: &str) {
        let begun = Instant::now();
        while self.eval(&format!("Boolean({expression})")) != true {
            assert!(begun.elapsed() < PATIENCE, "not true: {expression}; the page: {}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asserts that a count stays as it is for so long, from half a second after now.
    #[track_caller]
    pub(crate) fn rests_for(&self, count: &str, time: Duration) {
        thread::sleep(Duration::from_millis(500));
        let before = self.eval(count);
        thread::sleep(time);
        assert_eq!(self.eval(count), before, "{count}");
    }

    /// The text of the page as it is shown.
    pub(crate) fn text(&self) -> String {
        self.eval("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a screen has read what it shows.
    pub(crate) fn settled(&self) {
        self.until("document.querySelector('main h1') && !document.querySelector('.loading')");
    }

    /// Asserts that the page has met no fault, such as a refusal of its policy.
    #[track_caller]
    pub(crate) fn assert_no_faults(&self) {
        assert_eq!(self.eval("window.monitorErrors"), json!([]));
    }

    /// The rules of axe-core that the page breaks, and how many it keeps; `None` without axe-core.
    pub(crate) fn accessibility(&self) -> Option<(Value, u64)> {
        let rules = std::fs::read_to_string(std::env::var_os("MONITOR_TEST_AXE")?).unwrap();
        // As a script of the driver, which the policy of the page does not concern.
        self.command("execute/sync", &json!({ "script": rules, "args": [] }));
        let found = self.eval(
            "axe.run().then((found) => ({ kept: found.passes.length, broken: found.violations.map((rule) => \
             [rule.id, rule.nodes.map((node) => node.html)]) }))",
        );
        Some((found["broken"].clone(), found["kept"].as_u64().unwrap()))
    }

    /// Sets the size of the page, also below the least size of a window.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Chooses the light or the dark theme.
    pub(crate) fn theme(&self, theme: &str) {
        self.eval(&format!("localStorage.setItem('monitor.theme', '{theme}')"));
    }

    /// What the page looks like, as a PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let picture = self.devtools("Page.captureScreenshot", &json!({ "format": "png" }));
        STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// A command of the browser's own protocol, which its driver passes on.
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }
}

/// Sends a command of the protocol. Returns its value.
fn command(agent: &ureq::Agent, url: &str, body: &Value) -> Value {
    let mut response = agent.post(url).send_json(body).unwrap();
    let status = response.status();
    let mut answer: Value = response.body_mut().read_json().unwrap();
    assert!(status.is_success(), "{url} {body}: {answer}");
    answer["value"].take()
}

/// The driver; it ends when this is dropped, and its browsers with it.
struct Driver {
    process: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A driver that is killed leaves its browsers behind.
        let shut_down = || {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            connection.set_read_timeout(Some(PATIENCE))?;
            connection
                .write_all(b"GET /shutdown HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
            connection.read_to_end(&mut Vec::new())
        };
        let _: io::Result<usize> = shut_down();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Driver {
    /// Starts one on a free port.
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("chromedriver is installed, as the package chromium-driver");
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut driver = Self { process, output, port: 0 };
        driver.port = driver.read_port();
        driver
    }

    /// Reads the port, which it prints.
    fn read_port(&mut self) -> u16 {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "chromedriver ended");
            let port = line.split("on port ").nth(1).map(|rest| rest.trim().trim_end_matches('.'));
            // Its first line repeats the port that was asked for.
            if let Some(port) = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0) {
                return port;
            }
        }
    }
}
