//! Runs the fleet program: its proofs hold, and it leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use std::{fs, thread};

fn fleet(arguments: &[&str], temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    command.args(arguments).env("TMPDIR", temporary);
    command
}

fn said(output: &Output) -> String {
    [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat()
}

/// The processes that the fleet started: their command line or their environment names its folder, which is in this one.
fn left_behind(folder: &Path) -> Vec<String> {
    let its = format!("{}/fleet.", folder.display());
    let read = |process: &Path, file: &str| fs::read(process.join(file)).unwrap_or_default();
    let about = |process: PathBuf| [read(&process, "cmdline"), read(&process, "environ")].concat();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| about(process.path()));
    processes
        .map(|about| String::from_utf8_lossy(&about).into_owned())
        .filter(|about| about.contains(&its))
        .collect()
}

#[test]
fn the_engines_sums_equal_the_sent_requests() {
    let temporary = tempfile::tempdir().unwrap();
    let output = fleet(&["--instances", "3"], temporary.path()).output().unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for line in [
        "sums: 240 requests sent to 3 instances, and as many counted by status in both engines",
        "restart: over 3 counters that began anew, the increase is that of the 480 requests sent",
        "alerts: agent-3 was killed, and TargetDown for it fires alone",
        "pages: agent-1 tells that agent-3 and agent-2 are silent, and sums up the others",
        "every proof holds",
    ] {
        assert!(said.contains(line), "{line} is missing:\n{said}");
    }
    assert!(said.contains("pages: agent-1 sums up ") && said.contains(" calls of 3 instances"), "{said}");
    assert_eq!(said.matches("\nquantiles: ").count(), 3, "{said}");
    assert_eq!(left_behind(temporary.path()), [""; 0]);
    assert!(fs::read_dir(temporary.path()).unwrap().next().is_none(), "files are left behind");
}

#[test]
fn told_to_stop_it_takes_everything_along() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = fleet(&[], temporary.path()).stdout(Stdio::piped()).spawn().unwrap();
    while left_behind(temporary.path()).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(20));
    }
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(left_behind(temporary.path()), [""; 0]);
    assert!(fs::read_dir(temporary.path()).unwrap().next().is_none(), "files are left behind");
}

#[test]
fn wrong_usage_is_refused_in_a_line() {
    let temporary = tempfile::tempdir().unwrap();
    let output = fleet(&["--instances", "0"], temporary.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        said(&output),
        "fleet: --instances takes a whole number from 2 to 20, not `0`; --help shows what there is\n"
    );
}
