//! A disk that is really full: a small tmpfs, where this process may mount one.

use std::fs;
use std::path::Path;
use std::process::Command;

use monitor_runtime::Monitor;
use monitor_runtime::health::DiskCheck;

use crate::tcp::eventually;
use crate::{fast, ready};

/// Set in the process that has a mount namespace of its own, which takes its mounts with it.
const INSIDE: &str = "MONITOR_HEALTH_OWN_MOUNTS";

#[test]
fn a_disk_that_fills_up_is_unhealthy_until_there_is_room_again() {
    if !in_own_mounts("full_disk::fills_up") {
        stubbed();
    }
}

/// Whether this is a process with a mount namespace of its own.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs an ignored test in a process with a mount namespace of its own, or tells that none is to be had here.
pub(crate) fn in_own_mounts(test: &str) -> bool {
    let namespaces: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let may_mount = |namespace: &&&[&str]| {
        let mount = "mount -t tmpfs -o size=1m tmpfs /tmp";
        let tried = Command::new("unshare").args(**namespace).args(["sh", "-c", mount]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let Some(namespace) = namespaces.iter().find(may_mount) else {
        println!("no tmpfs may be mounted here: {test} is not run");
        return false;
    };
    let mut inside = Command::new("unshare");
    inside.args(*namespace).arg(std::env::current_exe().unwrap()).env(INSIDE, "1");
    inside.args(["--exact", test, "--ignored", "--nocapture"]);
    let ended = inside.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    true
}

#[tokio::test]
#[ignore = "run by the test above, in a mount namespace of its own"]
async fn fills_up() {
    if !is_inside() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path());
    assert!(mount.status().unwrap().success());
    let monitor = fast().check(DiskCheck::new(folder.path()).min_free_bytes(1_000_000)).build().unwrap();
    assert_eq!(ready(&monitor).await.0, 200);

    fill(&folder.path().join("data"));
    says(&monitor, 503, "low disk space: 0.00 GB free, 0.01 GB needed").await;
    fs::remove_file(folder.path().join("data")).unwrap();
    says(&monitor, 200, "0.00 GB free").await;
}

/// Writes until there is no room.
fn fill(path: &Path) {
    let error = fs::write(path, vec![1; 8_000_000]).expect_err("four megabytes have room for eight");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

pub(crate) async fn says(monitor: &Monitor, status: u16, message: &str) {
    eventually(message, async || {
        let (code, body) = ready(monitor).await;
        code == status && body["checks"]["disk"]["message"] == message
    })
    .await;
}

fn stubbed() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let full = DiskCheck::new("/").min_free_bytes(u64::MAX);
        let monitor = Monitor::builder().check(full).build().unwrap();
        assert_eq!(ready(&monitor).await.0, 503);
    });
}
