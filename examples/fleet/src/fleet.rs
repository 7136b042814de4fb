//! The instances and the engines around them.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::configuration;
use crate::engines::Engines;
use crate::instance::{self, Instance};
use crate::traffic::Sent;

/// Everything that runs. Dropping it stops all of it and removes what it wrote.
pub(crate) struct Fleet {
    pub(crate) instances: Vec<Instance>,
    pub(crate) engines: Engines,
    /// All requests sent so far.
    pub(crate) sent: Sent,
    service: PathBuf,
    // Last: fields are dropped in order, and the programs write into it.
    folder: TempDir,
}

impl Fleet {
    /// Starts the given number of instances and the engines, and waits until each answers.
    pub(crate) fn start(instances: usize) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fleet.").tempdir()?;
        let service = instance::build()?;
        let start = |number| Instance::start(&format!("agent-{number}"), &service, folder.path());
        let instances = (1..=instances).map(start).collect::<anyhow::Result<Vec<_>>>()?;
        publish_targets(folder.path(), &instances)?;
        let engines = Engines::start(folder.path())?;
        Ok(Self { instances, engines, sent: Sent::default(), service, folder })
    }

    /// Stops an instance as a deployment does, and restarts it under its old name.
    pub(crate) fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        self.instances[index].stop()?;
        let name = self.instances[index].name.clone();
        self.instances[index] = Instance::start(&name, &self.service, self.folder.path())?;
        publish_targets(self.folder.path(), &self.instances)
    }

    /// The instances' addresses.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.instances.iter().map(|instance| instance.address).collect()
    }
}

/// Writes the instances' addresses to the targets file of Prometheus.
fn publish_targets(folder: &Path, instances: &[Instance]) -> anyhow::Result<()> {
    configuration::write(&folder.join("targets.json"), &configuration::targets(instances))
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for instance in &self.instances {
            writeln!(f, "{:16} http://{}", instance.name, instance.address)?;
        }
        for engine in self.engines.all() {
            writeln!(f, "{:16} http://{}", engine.name, engine.address)?;
        }
        writeln!(f, "{:16} http://{}", "Alertmanager", self.engines.alertmanager)
    }
}
