//! The programs around the instances, each on a free port.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{io, iter};

use crate::configuration;
use crate::engine::{Engine, answers};
use crate::program::{Program, free_address};
use crate::waiting::eventually;

/// Number of ports to try for a program.
const TRIES: usize = 5;

/// The engines that store the instances' metrics, and the one that receives alerts.
pub(crate) struct Engines {
    pub(crate) prometheus: Engine,
    pub(crate) victoria_metrics: Engine,
    pub(crate) alertmanager: SocketAddr,
    _programs: Vec<Program>,
}

impl Engines {
    /// Starts all of them in this folder, and waits until each answers. Prometheus is last, since it needs the others' addresses.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut starting = Starting { home: folder.to_owned(), programs: Vec::new() };
        let remote = starting.engine("victoria-metrics", "/health", victoria_metrics)?;
        configuration::write(&folder.join("alertmanager.json"), &configuration::alertmanager())?;
        let alertmanager = starting.engine("prometheus-alertmanager", "/-/ready", alertmanager_at)?;
        configuration::write_rules(folder)?;
        let configured = configuration::prometheus(folder, alertmanager, remote);
        configuration::write(&folder.join("prometheus.json"), &configured)?;
        let prometheus = starting.engine("prometheus", "/-/ready", prometheus_at)?;
        Ok(Self {
            prometheus: Engine { name: "Prometheus", address: prometheus },
            victoria_metrics: Engine { name: "VictoriaMetrics", address: remote },
            alertmanager,
            _programs: starting.programs,
        })
    }

    /// The engines that answer queries about the whole fleet.
    pub(crate) fn all(&self) -> [&Engine; 2] {
        [&self.prometheus, &self.victoria_metrics]
    }
}

struct Starting {
    home: PathBuf,
    programs: Vec<Program>,
}

impl Starting {
    /// Starts the Debian package's program, waits until it answers, and returns its address.
    fn engine(
        &mut self,
        package: &str,
        path: &str,
        command: fn(SocketAddr, &Path) -> Command,
    ) -> anyhow::Result<SocketAddr> {
        self.engine_on(iter::repeat_with(free_address), package, path, command)
    }

    /// The same on the first of these addresses that it gets: another process may take one before the program does.
    fn engine_on(
        &mut self,
        addresses: impl IntoIterator<Item = io::Result<SocketAddr>>,
        package: &str,
        path: &str,
        command: fn(SocketAddr, &Path) -> Command,
    ) -> anyhow::Result<SocketAddr> {
        let mut ended = anyhow::anyhow!("there is no address for {package}");
        for address in addresses.into_iter().take(TRIES) {
            let address = address?;
            let mut program =
                Program::start(package, &mut command(address, &self.home), Some(package), &self.home)?;
            let is_up = eventually(&format!("{package} answers"), || {
                program.must_run()?;
                // Another process on the port may answer, until the program notices that it is taken.
                let is_ours = program.listens_at(address)?;
                Ok(if is_ours { answers(address, path) } else { Err("it does not listen".to_owned()) })
            });
            match is_up {
                Ok(()) => {
                    self.programs.push(program);
                    return Ok(address);
                }
                Err(error) if program.must_run().is_ok() => return Err(error),
                Err(error) => ended = error,
            }
        }
        Err(ended)
    }
}

fn prometheus_at(address: SocketAddr, folder: &Path) -> Command {
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", folder.join("prometheus.json").display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
    command.arg(format!("--web.listen-address={address}"));
    command
}

fn alertmanager_at(address: SocketAddr, folder: &Path) -> Command {
    let mut command = Command::new("prometheus-alertmanager");
    command.arg(format!("--config.file={}", folder.join("alertmanager.json").display()));
    command.arg(format!("--storage.path={}", folder.join("alertmanager").display()));
    command.arg(format!("--web.listen-address={address}"));
    // A single instance needs no peers.
    command.arg("--cluster.listen-address=");
    command
}

fn victoria_metrics(address: SocketAddr, folder: &Path) -> Command {
    let mut command = Command::new("victoria-metrics");
    command.arg(format!("-storageDataPath={}", folder.join("victoria-metrics").display()));
    command.arg(format!("-httpListenAddr={address}"));
    // Answers include the latest samples; by default they omit the last half minute.
    command.arg("-search.latencyOffset=0s");
    command
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Says for as long as the test runs that all is well.
    fn answering() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let _ = client.read(&mut [0; 1_024]);
                let _ =
                    client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        address
    }

    #[test]
    fn a_port_that_another_process_has_taken_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let taken = answering();
        let mut starting = Starting { home: folder.path().to_owned(), programs: Vec::new() };
        let addresses = iter::once(Ok(taken)).chain(iter::repeat_with(free_address));
        let found = starting.engine_on(addresses, "victoria-metrics", "/health", victoria_metrics).unwrap();
        assert_ne!(found, taken);
        assert_eq!(answers(found, "/health"), Ok(()));
    }
}
