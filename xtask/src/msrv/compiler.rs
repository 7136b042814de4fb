//! The oldest compiler, from Debian's packages.
//!
//! The packages are unpacked and not installed, since they would replace the machine's own toolchain.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};
use crate::packages::{self, find_program};
use crate::runner::Runner;

/// The packages of one release of Rust, and below those of their libraries that few machines have.
const RELEASE: [&str; 4] = ["rustc-web", "cargo-web", "libstd-rust-web-dev", "libstd-rust-web-1.85"];
const LIBRARIES: [&str; 3] = ["libllvm19", "libhttp-parser2.9", "libpcre3"];

pub(super) struct Compiler {
    folder: PathBuf,
}

impl Compiler {
    /// Returns the kept compiler, or fetches it; `None` if the machine's packages do not have it.
    pub(super) fn find(runner: &Runner, kept: &Path, rust_version: &str) -> Result<Option<Self>> {
        let kept = kept.join(format!("rust-{rust_version}"));
        if !kept.exists() {
            let Some(version) = find_version(runner, rust_version)? else { return Ok(None) };
            fetch(runner, &version, rust_version, &kept)?;
        }
        Ok(Some(Self { folder: kept }))
    }

    /// The command of its cargo, which runs its rustc.
    pub(super) fn cargo(&self, runner: &Runner) -> Command {
        let mut cargo = self.command(runner, "cargo");
        for (variable, program) in [("RUSTC", "rustc"), ("RUSTDOC", "rustdoc")] {
            cargo.env(variable, self.program(program));
        }
        cargo
    }

    fn command(&self, runner: &Runner, program: &str) -> Command {
        let mut command = runner.command(self.program(program));
        command.env("LD_LIBRARY_PATH", self.libraries());
        command
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join("usr/bin").join(name)
    }

    /// The folders of libraries, which Debian names by the machine's architecture.
    fn libraries(&self) -> OsString {
        let parents = ["lib", "usr/lib"].map(|parent| fs::read_dir(self.folder.join(parent)));
        let folders = parents.into_iter().flatten().flatten().flatten().map(|entry| entry.path());
        std::env::join_paths(folders.filter(|folder| folder.to_string_lossy().ends_with("-linux-gnu")))
            .unwrap_or_default()
    }
}

/// The version of Debian's package that has this release of Rust.
fn find_version(runner: &Runner, rust_version: &str) -> Result<Option<String>> {
    if ["apt-get", "apt-cache", "dpkg-deb"].iter().any(|program| find_program(program).is_none()) {
        return Ok(None);
    }
    let version = listed_version(runner, rust_version)?;
    if version.is_some() || !update_lists(runner)? {
        return Ok(version);
    }
    listed_version(runner, rust_version)
}

fn listed_version(runner: &Runner, rust_version: &str) -> Result<Option<String>> {
    let mut madison = runner.command("apt-cache");
    let table = runner.output(madison.args(["madison", RELEASE[0]]).stderr(Stdio::null()))?;
    Ok(version_in(&table, rust_version).map(str::to_owned))
}

/// Reads the table of `apt-cache madison`.
fn version_in<'t>(table: &'t str, rust_version: &str) -> Option<&'t str> {
    let mut versions = table.lines().filter_map(|line| Some(line.split('|').nth(1)?.trim()));
    versions.find(|version| version.strip_prefix(rust_version).is_some_and(|rest| rest.starts_with('.')))
}

/// Updates the package lists, which only root can do; returns whether that succeeded.
fn update_lists(runner: &Runner) -> Result<bool> {
    match packages::apt_get(runner, &["update", "-qq"]) {
        Err(signal @ Failure::Signal(_)) => Err(signal),
        updated => Ok(updated.unwrap_or(false)),
    }
}

/// Unpacks the packages into a folder, which appears only once it is complete.
fn fetch(runner: &Runner, version: &str, rust_version: &str, kept: &Path) -> Result {
    println!("unpacking {} {version} below {}", RELEASE.join(" "), kept.display());
    let parent = kept.parent().unwrap_or(kept);
    fs::create_dir_all(parent)?;
    let scratch = tempfile::tempdir_in(parent)?;
    let mut download = runner.command("apt-get");
    download.args(["download", "-qq"]).args(RELEASE.map(|name| format!("{name}={version}"))).args(LIBRARIES);
    runner.run(download.current_dir(scratch.path()))?;
    let unpacked = scratch.path().join("unpacked");
    for entry in fs::read_dir(scratch.path())? {
        runner.run(runner.command("dpkg-deb").arg("-x").arg(entry?.path()).arg(&unpacked))?;
    }
    let compiler = Compiler { folder: unpacked };
    for program in ["rustc", "cargo"] {
        let version = runner.output(compiler.command(runner, program).arg("--version"))?;
        if !version.starts_with(&format!("{program} {rust_version}.")) {
            return Err(Failure::Message(format!("the packages have another {program}: {version}")));
        }
    }
    Ok(fs::rename(compiler.folder, kept)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_that_of_the_release() {
        let table = " rustc-web | 1.96.0+dfsg1-1~deb12u2 | http://deb.debian.org/debian-security a/main amd64 Packages\n \
                     rustc-web | 1.85.0+dfsg3-1~deb12u3 | http://deb.debian.org/debian b/main amd64 Packages\n";
        assert_eq!(version_in(table, "1.85"), Some("1.85.0+dfsg3-1~deb12u3"));
        assert_eq!(version_in(table, "1.8"), None);
        assert_eq!(version_in("", "1.85"), None);
    }
}
