//! The instances and the engines around them.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::configuration;
use crate::engine::{Engine, answers};
use crate::instance::{self, Instance};
use crate::program::{Program, free_address};
use crate::traffic::Sent;
use crate::waiting::eventually;

/// Everything that runs. Dropping it stops all of it and removes what it wrote.
pub(crate) struct Fleet {
    pub(crate) instances: Vec<Instance>,
    pub(crate) prometheus: Engine,
    pub(crate) victoria_metrics: Engine,
    pub(crate) alertmanager: SocketAddr,
    /// All that was sent so far.
    pub(crate) sent: Sent,
    programs: Vec<Program>,
    service: PathBuf,
    // Last, since fields are dropped in order and the programs write into it.
    folder: TempDir,
}

impl Fleet {
    /// Starts so many instances and the engines, and waits until each answers.
    pub(crate) fn start(instances: usize) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fleet.").tempdir()?;
        let service = instance::build()?;
        let mut fleet = Self {
            instances: Vec::new(),
            prometheus: Engine { name: "Prometheus", address: free_address()? },
            victoria_metrics: Engine { name: "VictoriaMetrics", address: free_address()? },
            alertmanager: free_address()?,
            sent: Sent::default(),
            programs: Vec::new(),
            service,
            folder,
        };
        for number in 1..=instances {
            let name = format!("agent-{number}");
            fleet.instances.push(Instance::start(&name, &fleet.service, fleet.folder.path())?);
        }
        fleet.publish_targets()?;
        fleet.start_engines()?;
        Ok(fleet)
    }

    fn start_engines(&mut self) -> anyhow::Result<()> {
        let home = self.folder.path().to_owned();
        configuration::write_rules(&home)?;
        let (alertmanager, remote) = (self.alertmanager, self.victoria_metrics.address);
        let told = [
            ("alertmanager.json", configuration::alertmanager()),
            ("prometheus.json", configuration::prometheus(&home, alertmanager, remote)),
        ];
        for (name, configuration) in told {
            configuration::write(&home.join(name), &configuration)?;
        }
        self.start_engine(victoria_metrics(remote, &home), "victoria-metrics", remote, "/health")?;
        let ready = "/-/ready";
        self.start_engine(
            alertmanager_at(alertmanager, &home),
            "prometheus-alertmanager",
            alertmanager,
            ready,
        )?;
        let prometheus = self.prometheus.address;
        self.start_engine(prometheus_at(prometheus, &home), "prometheus", prometheus, ready)
    }

    /// Starts the Debian package's program and waits until it answers there.
    fn start_engine(
        &mut self,
        mut command: Command,
        package: &str,
        address: SocketAddr,
        path: &str,
    ) -> anyhow::Result<()> {
        let mut program = Program::start(package, &mut command, Some(package), self.folder.path())?;
        eventually(&format!("{package} answers"), || {
            program.must_run()?;
            Ok(answers(address, path))
        })?;
        self.programs.push(program);
        Ok(())
    }

    /// Tells Prometheus, by its file, where the instances are.
    fn publish_targets(&self) -> anyhow::Result<()> {
        let targets: Value = configuration::targets(&self.instances);
        configuration::write(&self.folder.path().join("targets.json"), &targets)
    }

    /// Stops an instance as a deployment does, and starts it anew under its old name.
    pub(crate) fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        self.instances[index].stop()?;
        let name = self.instances[index].name.clone();
        self.instances[index] = Instance::start(&name, &self.service, self.folder.path())?;
        self.publish_targets()
    }

    /// The instances' addresses.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.instances.iter().map(|instance| instance.address).collect()
    }

    /// What answers queries about the whole fleet.
    pub(crate) fn engines(&self) -> [&Engine; 2] {
        [&self.prometheus, &self.victoria_metrics]
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
    // One alone needs no peers.
    command.arg("--cluster.listen-address=");
    command
}

fn victoria_metrics(address: SocketAddr, folder: &Path) -> Command {
    let mut command = Command::new("victoria-metrics");
    command.arg(format!("-storageDataPath={}", folder.join("victoria-metrics").display()));
    command.arg(format!("-httpListenAddr={address}"));
    // Answers hold what came in last, where by default they leave out half a minute.
    command.arg("-search.latencyOffset=0s");
    command
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for instance in &self.instances {
            writeln!(f, "{:16} http://{}", instance.name, instance.address)?;
        }
        for engine in self.engines() {
            writeln!(f, "{:16} http://{}", engine.name, engine.address)?;
        }
        writeln!(f, "{:16} http://{}", "Alertmanager", self.alertmanager)
    }
}
