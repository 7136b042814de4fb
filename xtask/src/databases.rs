//! A PostgreSQL and a MariaDB for one run of the tests.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::process::{Signal, geteuid};

use crate::failure::{Failure, Result};
use crate::packages::{find_program, postgres_bin};
use crate::runner::{Runner, end, spawn};

/// Another process may take a free port before the server does; then the next one is tried.
const TRIES: usize = 5;

/// The servers; both end when dropped.
pub(crate) struct Databases {
    _postgres: Server,
    _mariadb: Server,
}

impl Databases {
    /// Starts both and sets the variables that lead the tests to them.
    pub(crate) fn start(runner: &mut Runner, scratch: &Path) -> Result<Self> {
        let place = Place { scratch, user: ServiceUser::choose(runner)?, password: random_password()? };
        Ok(Self { _postgres: place.start_postgres(runner)?, _mariadb: place.start_mariadb(runner)? })
    }
}

struct Server {
    process: Child,
    signal: Signal,
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.process, self.signal);
    }
}

/// The user that the servers run as: neither of them runs as root, so root hands them to nobody.
struct ServiceUser {
    nobody: Option<(u32, u32)>,
}

impl ServiceUser {
    fn choose(runner: &Runner) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self { nobody: None });
        }
        let id = |option| -> Result<u32> {
            let id = runner.output(runner.command("id").args([option, "nobody"]))?;
            id.trim().parse().map_err(|_| Failure::message("the user nobody has no number"))
        };
        Ok(Self { nobody: Some((id("-u")?, id("-g")?)) })
    }

    fn own(&self, path: &Path) -> Result {
        self.nobody.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)))?;
        Ok(())
    }
}

struct Place<'a> {
    scratch: &'a Path,
    user: ServiceUser,
    password: String,
}

impl Place<'_> {
    fn start_postgres(&self, runner: &mut Runner) -> Result<Server> {
        let bin = postgres_bin().ok_or_else(|| Failure::message("PostgreSQL is missing"))?;
        let home = self.make_home("postgres")?;
        let (data, password) = (home.join("data"), home.join("password"));
        self.write(&password, &self.password)?;
        let mut initdb = self.service(runner, &bin.join("initdb"), Signal::INT);
        initdb.arg("--pgdata").arg(&data).arg("--pwfile").arg(password);
        initdb.args([
            "--username=monitor",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        self.set_up(runner, &mut initdb, "initdb")?;

        let is_ready = || {
            let status = fs::read_to_string(data.join("postmaster.pid"));
            status.is_ok_and(|status| status.contains("ready"))
        };
        let (server, port) = self.start(runner, "PostgreSQL", Signal::INT, is_ready, |port| {
            let mut postgres = self.service(runner, &bin.join("postgres"), Signal::INT);
            postgres.arg("-D").arg(&data).args(["-p", &port.to_string()]);
            for setting in [
                "listen_addresses=127.0.0.1",
                "unix_socket_directories=",
                "fsync=off",
                "full_page_writes=off",
                "synchronous_commit=off",
            ] {
                postgres.args(["-c", setting]);
            }
            postgres
        })?;
        let url = format!("postgres://monitor:{}@127.0.0.1:{port}/postgres", self.password);
        runner.set("MONITOR_TEST_POSTGRES_BIN", bin);
        runner.set("MONITOR_TEST_POSTGRES_URL", url);
        Ok(server)
    }

    fn start_mariadb(&self, runner: &mut Runner) -> Result<Server> {
        let find = |name| find_program(name).ok_or_else(|| Failure::message("MariaDB is missing"));
        let home = self.make_home("mariadb")?;
        let option = |name: &str, file: &str| format!("--{name}={}", home.join(file).display());
        let mut install = self.service(runner, &find("mariadb-install-db")?, Signal::TERM);
        install.args(["--no-defaults", &option("datadir", "data"), "--skip-test-db"]);
        self.set_up(runner, &mut install, "mariadb-install-db")?;
        // Tests end sessions of their own, so their account may do everything.
        let statements = format!(
            "CREATE DATABASE monitor;
            CREATE USER monitor@'127.0.0.1' IDENTIFIED BY '{}';
            GRANT ALL ON *.* TO monitor@'127.0.0.1';",
            self.password
        );
        self.write(&home.join("init.sql"), &statements)?;

        let program = find("mariadbd")?;
        let log = self.log("MariaDB");
        let is_ready = || fs::read_to_string(&log).is_ok_and(|log| log.contains("ready for connections"));
        let (server, port) = self.start(runner, "MariaDB", Signal::TERM, is_ready, |port| {
            let mut mariadb = self.service(runner, &program, Signal::TERM);
            mariadb.args(["--no-defaults", &option("datadir", "data"), &option("init-file", "init.sql")]);
            mariadb.args(["--bind-address=127.0.0.1", &format!("--port={port}"), "--skip-name-resolve"]);
            mariadb.args([&option("socket", "socket"), &option("pid-file", "pid")]);
            mariadb.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]);
            mariadb
        })?;
        let url = format!("mysql://monitor:{}@127.0.0.1:{port}/monitor", self.password);
        runner.set("MONITOR_TEST_MYSQL_URL", url);
        Ok(server)
    }

    /// Starts a server on the first port that it can have.
    fn start(
        &self,
        runner: &Runner,
        name: &str,
        signal: Signal,
        is_ready: impl Fn() -> bool,
        command: impl Fn(u16) -> Command,
    ) -> Result<(Server, u16)> {
        for _ in 0..TRIES {
            let port = free_port()?;
            let mut command = command(port);
            let log = File::create(self.log(name))?;
            let process = spawn(command.stdout(log.try_clone()?).stderr(log))?;
            let mut server = Server { process, signal };
            if runner.wait_until_ready(&mut server.process, &is_ready)? {
                println!("{name} listens on 127.0.0.1:{port}");
                return Ok((server, port));
            }
        }
        Err(self.failure(&format!("{name} did not start"), name))
    }

    /// Runs a command that prepares a server's files.
    fn set_up(&self, runner: &Runner, command: &mut Command, name: &str) -> Result {
        let log = File::create(self.log(name))?;
        match runner.run(command.stdout(log.try_clone()?).stderr(log)) {
            Err(Failure::Command(_)) => Err(self.failure(&format!("{name} failed"), name)),
            result => result,
        }
    }

    /// A command of the servers' user, which gets the signal that ends it should this program be killed.
    fn service(&self, runner: &Runner, program: &Path, signal: Signal) -> Command {
        let mut command = runner.command("setpriv");
        if let Some((user, group)) = self.user.nobody {
            command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]);
        }
        let signal = if signal == Signal::INT { "INT" } else { "TERM" };
        command.args(["--pdeathsig", signal]).arg(program).current_dir(self.scratch);
        command
    }

    /// A directory that the servers' user owns.
    fn make_home(&self, name: &str) -> Result<PathBuf> {
        let home = self.scratch.join(name);
        DirBuilder::new().mode(0o700).create(&home)?;
        self.user.own(&home)?;
        Ok(home)
    }

    /// Writes a file that the servers' user alone can read.
    fn write(&self, path: &Path, text: &str) -> Result {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        self.user.own(path)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.scratch.join(name).with_extension("log")
    }

    /// Prints the end of the log, which says why.
    fn failure(&self, text: &str, name: &str) -> Failure {
        let log = fs::read_to_string(self.log(name)).unwrap_or_default();
        eprint!("{}", last_lines(&log, 30));
        Failure::message(text)
    }
}

/// The last lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> &str {
    let start = text.trim_end().rmatch_indices('\n').nth(count - 1);
    text.get(start.map_or(0, |(at, _)| at + 1)..).unwrap_or_default()
}

fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn random_password() -> Result<String> {
    let mut password = String::new();
    for byte in random_bytes::<16>()? {
        write!(password, "{byte:02x}").expect("a string takes all");
    }
    Ok(password)
}

/// A port that nothing answers on, below those that the kernel gives to clients.
fn free_port() -> Result<u16> {
    loop {
        let port = 20_000 + u16::from_ne_bytes(random_bytes()?) % 12_000;
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_are_those_at_the_end() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb", 5), "a\nb");
        assert_eq!(last_lines("", 5), "");
    }

    #[test]
    fn passwords_differ() {
        let (first, second) = (random_password().unwrap(), random_password().unwrap());
        assert_eq!(first.len(), 32);
        assert_ne!(first, second);
    }
}
