//! The pictures of the README, taken from the example service.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use crate::driver::Browser;

/// The largest picture, in bytes.
const MOST_BYTES: usize = 200_000;

/// Where the pictures are put if this variable is set; otherwise they are only checked.
const PUT: &str = "SCREENSHOTS";

/// The example service; it ends when this is dropped.
struct Example(Child);

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the example with questions of its own. Returns the URL of its live page.
fn start() -> (Example, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut command = Command::new(program(root));
    command.args(["--port", "0", "--traffic", "8"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let found = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("agent_service: live page at ").map(str::to_owned));
    (Example(child), found.expect("it says where its page is"))
}

fn program(root: &Path) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests are in target/<profile>/deps");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--workspace", "--example", "agent_service"]);
    cargo.arg("--target-dir").arg(profile.parent().expect("profiles are in target")).current_dir(root);
    assert!(cargo.status().unwrap().success(), "the example does not build");
    profile.join("examples/agent_service")
}

#[test]
fn pictures_are_taken_from_the_running_example() {
    let _one = crate::ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (_example, root) = start();
    let browser = Browser::at(&root);
    browser.resize(1_280, 900);
    browser.open("");
    browser.until("document.querySelectorAll('table[aria-label=Agents] tbody tr').length >= 2");
    browser.until("document.querySelectorAll('table[aria-label=\"Last failures\"] tbody tr').length >= 3");
    if std::env::var_os(PUT).is_some() {
        thread::sleep(Duration::from_secs(45));
    }
    for theme in ["light", "dark"] {
        browser.theme(theme);
        browser.open("");
        browser.settled();
        browser.until("document.querySelector('.against, .running .empty')");
        let picture = browser.picture();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() <= MOST_BYTES, "{} bytes", picture.len());
        if let Some(folder) = std::env::var_os(PUT) {
            std::fs::write(Path::new(&folder).join(format!("live-page-{theme}.png")), picture).unwrap();
        }
    }
    browser.assert_no_faults();
}
