//! A disk that is really full: a small tmpfs, where this process may mount one.

use std::fs;
use std::path::Path;
use std::process::Command;

use monitor_runtime::Monitor;
use monitor_runtime::health::DiskCheck;

use crate::health::{fast, ready};
use crate::support::subprocess::{Subprocess, own_mounts, part, passes};
use crate::support::tcp::eventually;

const FILLS_UP: Subprocess = Subprocess::new(module_path!(), "fills_up");

#[test]
fn a_disk_that_fills_up_is_unhealthy_until_there_is_room_again() {
    if !in_own_mounts(FILLS_UP) {
        stubbed();
    }
}

/// Runs an ignored test in a process with a mount namespace of its own, or tells that none is to be had here.
pub(crate) fn in_own_mounts(test: Subprocess) -> bool {
    let Some(unshare) = own_mounts() else {
        println!("no tmpfs may be mounted here: {test:?} is not run");
        return false;
    };
    passes(&mut test.command_by(unshare, ""));
    true
}

#[tokio::test]
#[ignore = "run by the test above, in a mount namespace of its own"]
async fn fills_up() {
    if part().is_none() {
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
