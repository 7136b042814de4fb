//! The machine's policy on starting services.
//!
//! Debian starts a server as soon as its package is installed. The tests start their own, so while packages are installed
//! the policy forbids it, unless the machine has a policy already.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use rustix::process::geteuid;

use crate::failure::{Failure, Result};
use crate::packages::find_program;
use crate::runner::{Runner, spawn};

const MARK: &str = "# Written by scripts/test of monitor while it installs packages, in process ";

/// A command that runs as root, by sudo if need be.
pub(crate) fn as_root(runner: &Runner, program: &str) -> Result<Command> {
    if geteuid().is_root() {
        return Ok(runner.command(program));
    }
    if find_program("sudo").is_none() {
        return Err(Failure::message(format!("neither root nor sudo: cannot run {program}")));
    }
    let mut sudo = runner.command("sudo");
    sudo.arg(program);
    Ok(sudo)
}

pub(crate) struct ServicePolicy<'a> {
    pub(crate) path: PathBuf,
    pub(crate) runner: &'a Runner,
}

impl<'a> ServicePolicy<'a> {
    pub(crate) fn of_this_machine(runner: &'a Runner) -> Self {
        Self { path: "/usr/sbin/policy-rc.d".into(), runner }
    }

    /// Forbids service starts until the guard is dropped.
    pub(crate) fn forbid(&self) -> Result<Forbidden<'_>> {
        let forbidden = Forbidden(self);
        if !self.path.exists() {
            let tee = &mut as_root(self.runner, "tee")?;
            let mut tee = spawn(tee.arg(&self.path).stdin(Stdio::piped()).stdout(Stdio::null()))?;
            let text = format!("#!/bin/sh\n{MARK}{}\nexit 101\n", process::id());
            tee.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()))?;
            tee.wait()?;
            as_root(self.runner, "chmod")?.arg("755").arg(&self.path).status()?;
        }
        Ok(forbidden)
    }

    /// Removes what a run that was killed left behind.
    pub(crate) fn lift_stale(&self) -> Result {
        if self.writer().is_some_and(|writer| !Path::new("/proc").join(writer.to_string()).exists()) {
            println!("removing {}, left by a run that was killed", self.path.display());
            self.remove()?;
        }
        Ok(())
    }

    /// The process that wrote the policy, if that was a run of ours.
    fn writer(&self) -> Option<u32> {
        let text = fs::read_to_string(&self.path).ok()?;
        text.lines().find_map(|line| line.strip_prefix(MARK)?.parse().ok())
    }

    fn remove(&self) -> Result {
        as_root(self.runner, "rm")?.arg("-f").arg(&self.path).status()?;
        Ok(())
    }
}

/// Removes our policy when dropped; one that is not ours stays.
pub(crate) struct Forbidden<'a>(&'a ServicePolicy<'a>);

impl Drop for Forbidden<'_> {
    fn drop(&mut self) {
        if self.0.writer() == Some(process::id()) {
            let _ = self.0.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // No process has this number.
    const GONE: u32 = 99_999_999;

    /// Runs `check` on a policy of this test's, since the real one belongs to the machine.
    fn with_policy(text: Option<&str>, check: impl FnOnce(&ServicePolicy<'_>)) {
        let folder = tempfile::tempdir().unwrap();
        let (path, runner) = (folder.path().join("policy"), &Runner::new());
        text.map_or(Ok(()), |text| fs::write(&path, text)).unwrap();
        check(&ServicePolicy { path, runner });
    }

    #[test]
    fn services_may_not_start_while_packages_are_installed() {
        with_policy(None, |policy| {
            let forbidden = policy.forbid().unwrap();
            assert_eq!(Command::new(&policy.path).status().unwrap().code(), Some(101));
            policy.lift_stale().unwrap();
            assert!(policy.path.exists(), "the policy of a run that lives was removed");
            drop(forbidden);
            assert!(!policy.path.exists());
        });
    }

    #[test]
    fn policy_of_a_killed_run_is_removed() {
        with_policy(Some(&format!("#!/bin/sh\n{MARK}{GONE}\nexit 101\n")), |policy| {
            policy.lift_stale().unwrap();
            assert!(!policy.path.exists());
        });
    }

    #[test]
    fn policy_of_the_machine_stays() {
        with_policy(Some("#!/bin/sh\nexit 101\n"), |policy| {
            drop(policy.forbid().unwrap());
            policy.lift_stale().unwrap();
            assert!(policy.path.exists());
        });
    }
}
