//! A PostgreSQL of a test's own, to be stopped, killed, paused and started again.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor as _, PgConnection};
use tempfile::TempDir;

const SUPERUSER: &str = "monitor";

/// A server that ends with the test, however that ends.
pub(crate) struct Server {
    home: TempDir,
    settings: &'static [&'static str],
    password: String,
    port: u16,
    process: Option<Child>,
}

impl Server {
    /// Makes a cluster and starts it on a free port, with settings such as `max_connections=4`.
    pub(crate) fn start(settings: &'static [&'static str]) -> Self {
        let password = uuid::Uuid::now_v7().to_string();
        let mut server =
            Self { home: tempfile::tempdir().unwrap(), settings, password, port: 0, process: None };
        fs::write(server.home.path().join("password"), &server.password).unwrap();
        if is_root() {
            let owned = Command::new("chown").args(["-R", "nobody"]).arg(server.home.path()).status();
            assert!(owned.unwrap().success());
        }
        server.make_cluster();
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.try_run() {
                return server;
            }
        }
        panic!("it does not start:\n{}", server.log());
    }

    fn make_cluster(&self) {
        let mut initdb = self.command("initdb");
        initdb.arg("--pgdata").arg(self.data()).args(["--username", SUPERUSER, "--pwfile"]);
        initdb.arg(self.home.path().join("password"));
        initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new().host("127.0.0.1").port(self.port);
        options.username(SUPERUSER).password(&self.password).database("postgres")
    }

    /// Starts it again where it was.
    pub(crate) fn run(&mut self) {
        assert!(self.try_run(), "it does not start:\n{}", self.log());
    }

    fn try_run(&mut self) -> bool {
        let log = fs::File::create(self.home.path().join("log")).unwrap();
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let fixed = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
        for setting in fixed.iter().chain(self.settings) {
            postgres.args(["-c", setting]);
        }
        let mut process = postgres.stderr(log).stdout(Stdio::null()).spawn().unwrap();
        let is_up = until(|| self.is_ready(process.id()) || process.try_wait().unwrap().is_some())
            && process.try_wait().unwrap().is_none();
        self.process = Some(process);
        is_up
    }

    /// Whether this process has written that it takes connections.
    fn is_ready(&self, pid: u32) -> bool {
        let said = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        said.lines().next() == Some(&pid.to_string()) && said.contains("ready")
    }

    /// Shuts it down as an operator does: sessions end, and connections are refused.
    pub(crate) fn stop(&mut self) {
        signal("-INT", &[self.pid()]);
        self.wait();
    }

    /// Kills it with all its sessions, as a machine does that has no memory left.
    pub(crate) fn kill(&mut self) {
        signal("-KILL", &self.processes());
        self.wait();
    }

    /// Stops the clock of it and all its sessions: connections stay, and nothing answers.
    pub(crate) fn pause(&self) {
        // First who starts others, so that none is missed.
        signal("-STOP", &[self.pid()]);
        signal("-STOP", &self.processes());
    }

    pub(crate) fn resume(&self) {
        signal("-CONT", &self.processes());
    }

    /// Turns a role away before all other rules, as an operator does who edits `pg_hba.conf`.
    pub(crate) async fn refuse_in_hba(&self, admin: &mut PgConnection, role: &str) {
        let path = self.data().join("pg_hba.conf");
        let rules = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("host all {role} all reject\n{rules}")).unwrap();
        admin.execute("SELECT pg_reload_conf()").await.unwrap();
    }

    /// How many connections it has logged, with `log_connections=on`.
    pub(crate) fn connections(&self) -> usize {
        self.log().matches("connection authorized").count()
    }

    fn wait(&mut self) {
        self.process.take().expect("it runs").wait().unwrap();
    }

    fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// The server's process and those that it started.
    fn processes(&self) -> Vec<u32> {
        let pids =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let own = self.pid();
        pids.filter(|&pid| pid == own || parent_of(pid) == Some(own)).collect()
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// A program of PostgreSQL, which does not run as root and ends with the thread that started it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.current_dir(self.home.path()).args(["--pdeathsig", "INT"]);
        if is_root() {
            command.args(["--reuid=nobody", "--regid", &group_of_nobody(), "--clear-groups"]);
        }
        command.arg(programs().join(program)).stdin(Stdio::null());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}

/// Where the server's programs are; `scripts/test` says so.
fn programs() -> PathBuf {
    let folder = std::env::var_os("MONITOR_TEST_POSTGRES_BIN");
    folder.expect("MONITOR_TEST_POSTGRES_BIN is not set; run scripts/test, which finds PostgreSQL").into()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn group_of_nobody() -> String {
    let id = Command::new("id").args(["-g", "nobody"]).output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

/// The second field behind the program's name, which may hold anything.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn signal(signal: &str, pids: &[u32]) {
    // One that has gone by now needs none, and `kill` complains of it.
    let pids = pids.iter().map(u32::to_string);
    let _ = Command::new("kill").arg(signal).args(pids).stderr(Stdio::null()).status().unwrap();
}

/// Looks again and again until something is so, at most a minute.
fn until(mut is_so: impl FnMut() -> bool) -> bool {
    (0..3_000).any(|_| {
        let is_so = is_so();
        if !is_so {
            sleep(Duration::from_millis(20));
        }
        is_so
    })
}
