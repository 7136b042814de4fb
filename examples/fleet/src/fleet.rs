//! The instances and the engines around them.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::configuration;
use crate::engines::Engines;
use crate::instance::{self, Instance, Place};
use crate::program::free_addresses;
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
        let pages = free_addresses(instances)?;
        let start = |(index, page): (usize, &SocketAddr)| {
            let name = format!("agent-{}", index + 1);
            Instance::start(&Place { name: &name, page: *page, pages: &pages }, &service, folder.path())
        };
        let instances = pages.iter().enumerate().map(start).collect::<anyhow::Result<Vec<_>>>()?;
        publish_targets(folder.path(), &instances)?;
        let engines = Engines::start(folder.path())?;
        Ok(Self { instances, engines, sent: Sent::default(), service, folder })
    }

    /// Stops an instance as a deployment does, and restarts it under its old name.
    pub(crate) fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        self.instances[index].stop()?;
        self.revive(index)
    }

    /// Starts an instance again that has ended.
    pub(crate) fn revive(&mut self, index: usize) -> anyhow::Result<()> {
        let pages: Vec<_> = self.instances.iter().map(|instance| instance.page).collect();
        let Instance { name, page, .. } = &self.instances[index];
        let place = Place { name, page: *page, pages: &pages };
        self.instances[index] = Instance::start(&place, &self.service, self.folder.path())?;
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
            writeln!(
                f,
                "{:16} http://{}, http://{}/monitor/",
                instance.name, instance.address, instance.page
            )?;
        }
        for engine in self.engines.all() {
            writeln!(f, "{:16} http://{}", engine.name, engine.address)?;
        }
        writeln!(f, "{:16} http://{}", "Alertmanager", self.engines.alertmanager)
    }
}
