//! A program in its own process, stopped when it goes out of scope.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io};

use anyhow::{Context as _, bail};

/// A running program whose output goes to a file; killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts a command. `package` is the package to install if the program is missing.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        package: Option<&str>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().map_err(|error| match (error.kind(), package) {
            (io::ErrorKind::NotFound, Some(package)) => {
                anyhow::anyhow!("there is no {name} on this machine: install the Debian package `{package}`")
            }
            _ => anyhow::Error::new(error).context(format!("cannot start {name}")),
        })?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Its output so far.
    pub(crate) fn output(&self) -> anyhow::Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("cannot read what {} wrote", self.name))
    }

    /// Fails if the program has ended, with the end of its output.
    pub(crate) fn must_run(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let output = self.output()?;
            let last = output.lines().last().unwrap_or("nothing was written");
            bail!("{} ended, {status}: {last}", self.name);
        }
        Ok(())
    }

    /// Whether it listens at that address itself, by Linux's table of its sockets.
    pub(crate) fn listens_at(&self, address: SocketAddr) -> anyhow::Result<bool> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let table = fs::read_to_string("/proc/net/tcp").context("Linux is needed to tell who listens")?;
        let sockets: Vec<_> = table.lines().filter_map(|line| listening_socket(line, address)).collect();
        // A program that has ended has no files; a file closed meanwhile is not a socket.
        let files = fs::read_dir(process.join("fd")).into_iter().flatten().filter_map(Result::ok);
        let mut opened = files.filter_map(|file| fs::read_link(file.path()).ok());
        Ok(opened.any(|target| sockets.iter().any(|socket| target == Path::new(socket))))
    }

    /// Asks the program to stop, and returns whether it has.
    pub(crate) fn has_stopped(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Sends SIGTERM, as an orchestrator does.
    pub(crate) fn terminate(&self) -> anyhow::Result<()> {
        self.signal("-TERM")
    }

    /// Has it do nothing from now on, as a machine does that hangs. Its connections stay.
    pub(crate) fn freeze(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        if !sent.success() {
            bail!("{} takes no signal {signal}", self.name);
        }
        Ok(())
    }

    /// Kills the program, as a crash does.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of the socket in a line of Linux's table, if it listens at that address.
fn listening_socket(line: &str, address: SocketAddr) -> Option<String> {
    const LISTENS: &str = "0A";
    let IpAddr::V4(ip) = address.ip() else { return None };
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port());
    let mut fields = line.split_ascii_whitespace();
    let is_there = fields.nth(1)? == wanted && fields.nth(1)? == LISTENS;
    // After the state come queues, timers, retries, the user and its timeout.
    fields.nth(5).filter(|_| is_there).map(|inode| format!("socket:[{inode}]"))
}

/// Free addresses of this machine, all different, with the same risk.
pub(crate) fn free_addresses(number: usize) -> io::Result<Vec<SocketAddr>> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners = (0..number).map(bind).collect::<io::Result<Vec<_>>>()?;
    listeners.iter().map(TcpListener::local_addr).collect()
}

/// A free address of this machine. Another process may still take it first; the program then ends.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
