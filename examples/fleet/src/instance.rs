//! One instance of the example service.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::program::Program;
use crate::waiting::eventually;

/// The service's message on standard error once it is up, before its address.
const LISTENING: &str = "agent_service: listening on http://";

/// A running instance. It keeps its name across restarts, though its address changes.
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// The listener of its live page, which stays.
    pub(crate) page: SocketAddr,
    program: Program,
}

/// Where an instance is, and where all of them are.
#[derive(Clone, Debug)]
pub(crate) struct Place<'p> {
    pub(crate) name: &'p str,
    pub(crate) page: SocketAddr,
    /// The listeners of all pages; an instance finds out which is its own.
    pub(crate) pages: &'p [SocketAddr],
}

impl Instance {
    /// Starts an instance of that program, and waits until it listens.
    pub(crate) fn start(place: &Place<'_>, program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let Place { name, page, pages } = *place;
        let peers: Vec<_> = pages.iter().map(ToString::to_string).collect();
        let home = tempfile::tempdir_in(folder)?.keep();
        let mut command = Command::new(program);
        command.args(["--port", "0", "--admin-port", &page.port().to_string(), "--peers", &peers.join(",")]);
        command.env("TMPDIR", &home).env("LOG_LEVEL", "warn");
        for variable in ["DATABASE_URL", "LOG_FORMAT", "RUST_LOG"] {
            command.env_remove(variable);
        }
        let mut program = Program::start(name, &mut command, None, &home)?;
        let address = eventually(&format!("{name} listens"), || {
            program.must_run()?;
            Ok(listening(&program.output()?).ok_or_else(|| "it has not said so".to_owned()))
        })?;
        Ok(Self { name: name.to_owned(), address: address.parse()?, page, program })
    }

    /// Stops the instance as an orchestrator does, and waits for its end.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.program.terminate()?;
        eventually(&format!("{} stops", self.name), || {
            Ok(if self.program.has_stopped()? { Ok(()) } else { Err("it still runs".to_owned()) })
        })
    }

    /// Freezes the instance: it keeps its connections and answers nothing.
    pub(crate) fn freeze(&self) -> anyhow::Result<()> {
        self.program.freeze()
    }

    /// All instances, as the live page of this one knows them.
    pub(crate) fn known_instances(&self) -> anyhow::Result<serde_json::Value> {
        let url = format!("http://{}/monitor/api/v1/instances", self.page);
        Ok(ureq::get(&url).call()?.body_mut().read_json()?)
    }

    /// Ends the instance as a crash does.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.program.kill()
    }

    /// A scrape of this instance alone.
    pub(crate) fn scrape(&self) -> anyhow::Result<String> {
        let url = format!("http://{}/health/metrics", self.address);
        Ok(ureq::get(&url).call()?.body_mut().read_to_string()?)
    }
}

fn listening(output: &str) -> Option<String> {
    // A last line without a line feed may be half an address.
    let whole = output.rsplit_once('\n')?.0;
    whole.lines().find_map(|line| line.strip_prefix(LISTENING).map(str::to_owned))
}

/// Builds the service, in the profile of this program, and returns its path.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("this program has no path")?;
    // A test runs it from target/<profile>, as `cargo run` does.
    let profile = this.parent().context("this program has no folder")?;
    let target = profile.parent().context("this program is in no target folder")?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--package", "monitor", "--example", "agent_service"]);
    cargo.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"));
    cargo.arg("--target-dir").arg(target);
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    if !cargo.status().context("cannot run cargo")?.success() {
        bail!("the example service does not build");
    }
    Ok(profile.join("examples/agent_service"))
}

#[cfg(test)]
mod tests {
    use super::listening;

    #[test]
    fn the_address_is_read_from_a_whole_line_only() {
        assert_eq!(listening("agent_service: listening on http://127.0.0.1:80"), None);
        let said = "a warning\nagent_service: listening on http://127.0.0.1:8080\n";
        assert_eq!(listening(said).as_deref(), Some("127.0.0.1:8080"));
    }
}
