//! The disk check on mounts of every kind, where this process may mount, and in a process without file descriptors.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use monitor_runtime::Monitor;
use monitor_runtime::health::DiskCheck;

use crate::health::full_disk::in_own_mounts;
use crate::health::{fast, ready, settle};
use crate::support::exposition::Exposition;
use crate::support::subprocess::{Subprocess, part, passes};

/// A tmpfs of two megabytes, which no other mount here has the size of.
const SIZE: u64 = 2 << 20;

/// Fails as the shell does that mounts.
fn shell(script: &str) {
    let ended = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(ended.status.success(), "{script}: {}", String::from_utf8_lossy(&ended.stderr));
}

fn tmpfs(at: &Path) {
    shell(&format!("mount -t tmpfs -o size={SIZE} tmpfs {}", at.display()));
}

/// The gauge of that path, once its disk was read.
fn gauge(monitor: &Monitor, metric: &str, path: &Path) -> Option<u64> {
    let text = String::from_utf8(monitor.metrics().into_body().into()).unwrap();
    Exposition::read(&text).count(&format!("{metric}{{path=\"{}\"}}", path.display()))
}

/// Asserts that the gauges and the status of the path are those of the small tmpfs.
async fn is_the_small_one(path: impl AsRef<Path>) {
    let path = path.as_ref();
    let shown = path.display();
    let monitor = fast().check(DiskCheck::new(path).min_free_bytes(SIZE)).build().unwrap();
    let (status, body) = ready(&monitor).await;
    let message = &body["checks"]["disk"]["message"];
    assert_eq!(
        (status.as_u16(), message),
        (503, &"low disk space: 0.00 GB free, 0.01 GB needed".into()),
        "{shown}"
    );
    assert_eq!(gauge(&monitor, "disk_size_bytes", path), Some(SIZE), "{shown}");
    let free = gauge(&monitor, "disk_free_bytes", path).unwrap();
    assert!(free > 0 && free <= SIZE, "{shown}: {free}");
}

#[test]
fn each_mount_is_measured_wherever_and_however_it_is() {
    in_own_mounts(Subprocess::new(module_path!(), "measures_each_mount"));
}

#[tokio::test]
#[ignore = "run by the test above, in a mount namespace of its own"]
async fn measures_each_mount() {
    if part().is_none() {
        return;
    }
    for hidden in ["/run", "/sys"] {
        tmpfs(hidden.as_ref());
        is_the_small_one(hidden).await;
        let below = Path::new(hidden).join("app data");
        fs::create_dir(&below).unwrap();
        is_the_small_one(&below).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["plain", "bound", "shadowed", "elsewhere"] {
        fs::create_dir(at(name)).unwrap();
    }
    tmpfs(&at("plain"));
    is_the_small_one(at("plain")).await;

    fs::create_dir(at("plain/sub")).unwrap();
    shell(&format!("mount --bind {} {}", at("plain/sub").display(), at("bound").display()));
    is_the_small_one(at("bound")).await;

    shell(&format!("mount -t tmpfs -o size=64m tmpfs {}", at("shadowed").display()));
    tmpfs(&at("shadowed"));
    is_the_small_one(at("shadowed")).await;

    symlink(at("plain"), at("elsewhere/link")).unwrap();
    is_the_small_one(at("elsewhere/link")).await;
    is_the_small_one(at("elsewhere/link/sub/..")).await;
    fs::write(at("plain/file"), "").unwrap();
    is_the_small_one(at("plain/file")).await;
    std::env::set_current_dir(at("plain")).unwrap();
    is_the_small_one("sub").await;
    is_the_small_one(".").await;

    // A folder that was there before the mount, seen from above, is the disk's above.
    let above = DiskCheck::new(folder.path()).min_free_bytes(SIZE);
    let monitor = fast().check(above).build().unwrap();
    settle(&monitor).await;
    assert_ne!(gauge(&monitor, "disk_size_bytes", folder.path()), Some(SIZE));

    // Last, since no process is started without `/dev/null`.
    tmpfs("/dev".as_ref());
    is_the_small_one("/dev").await;
}

#[tokio::test]
async fn a_path_that_vanishes_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let monitor = fast().check(DiskCheck::new(folder.path()).min_free_bytes(0)).build().unwrap();
    assert_eq!(ready(&monitor).await.0, 200);
    drop(folder);
    crate::health::full_disk::says(&monitor, 503, "disk path not found").await;
}

#[tokio::test]
async fn a_file_system_without_a_size_is_no_disk() {
    let monitor = fast().check(DiskCheck::new("/proc/self")).build().unwrap();
    crate::health::full_disk::says(&monitor, 503, "no disk found for the path").await;
}

#[test]
fn a_process_without_descriptors_still_knows_its_disk() {
    let knows_its_disk = Subprocess::new(module_path!(), "knows_its_disk");
    passes(&mut knows_its_disk.command_with_descriptors(64, ""));
}

#[tokio::test]
#[ignore = "run by the test above, with a limit of open files"]
async fn knows_its_disk() {
    if part().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let monitor = fast().check(DiskCheck::new(folder.path()).min_free_bytes(0)).build().unwrap();
    assert_eq!(ready(&monitor).await.0, 200);
    let mut held = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(error.raw_os_error(), Some(24), "too many open files");
    let late = fast().check(DiskCheck::new(folder.path()).min_free_bytes(0)).build().unwrap();
    let (status, body) = ready(&late).await;
    let message = body["checks"]["disk"]["message"].as_str().unwrap();
    assert!(status == 200 && message.ends_with(" GB free"), "{status} {message}");
    let full = fast().check(DiskCheck::new(folder.path()).min_free_bytes(u64::MAX)).build().unwrap();
    let message = ready(&full).await.1["checks"]["disk"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("low disk space: "), "{message}");
    drop(held);
}
