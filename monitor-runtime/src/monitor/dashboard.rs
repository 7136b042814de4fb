//! The settings of the live page.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::error::BuildError;
use super::fleet::Fleet;
use super::peers::Peers;
use crate::run;

/// The live page of a process: its runs, calls, checks and log lines, in a browser.
///
/// [`MonitorBuilder::dashboard`](crate::MonitorBuilder::dashboard) switches it on.
///
/// ```
/// use monitor_runtime::{Dashboard, Monitor};
///
/// let monitor = Monitor::builder().admin_port(0).dashboard(Dashboard::new()).build()?;
/// let address = monitor.admin_address().ok_or("no admin listener")?;
/// assert_eq!(monitor.dashboard_url(), Some(format!("http://{address}/monitor/")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "the page is served once a monitor is built with it"]
pub struct Dashboard {
    memory: Option<usize>,
    pub(super) hosts: Vec<String>,
    pub(super) shows_content: bool,
    /// Whether the routes of the application's own listener show the page.
    pub(super) is_on_main_port: bool,
    /// Whether cookies are for HTTPS only.
    pub(super) is_https: bool,
    peers: Option<Peers>,
}

impl Dashboard {
    /// Returns the settings of a page that shows everything the recorder of runs keeps.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum memory of everything that the recorder of runs keeps, in bytes (default 16 MiB, at least 2 MiB).
    ///
    /// It is that of [`RunsBuilder::memory`](crate::run::RunsBuilder::memory). Without it, a recorder that has been
    /// started keeps its own.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Adds a name under which browsers reach the page, without a port.
    ///
    /// Addresses, `localhost` and names below `.localhost` need not be added. A request under any other name gets 421,
    /// since a page of another site could have sent it. [`build`](crate::MonitorBuilder::build) refuses a name with a scheme or
    /// a port, which no request would match.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into().to_ascii_lowercase());
        self
    }

    /// Sets whether the API of the page shows the arguments and results that the option `record(…)` of the attributes keeps
    /// (default `false`).
    ///
    /// They may hold what a user has said. Everybody who reaches the page reads them then.
    /// [`Node::contents`](crate::run::Node::contents) has them in any case.
    pub fn show_content(mut self, show: bool) -> Self {
        self.shows_content = show;
        self
    }

    /// Serves the page at `/monitor/` of the application's own listener: [`routes`](crate::Monitor::routes) contain it, and
    /// so does [`serve`](crate::Monitor::serve). Below a [`base_path`](crate::MonitorBuilder::base_path) it is at
    /// `<base path>/monitor/`.
    ///
    /// [`build`](crate::MonitorBuilder::build) fails without a [`bearer_token`](crate::MonitorBuilder::bearer_token), for
    /// which a browser asks once. An admin listener is not needed; if there is one, it serves the page as well. Name the
    /// hosts of the application by [`host`](Self::host). If the application's runtime is blocked, so is this page.
    ///
    /// ```
    /// use monitor_runtime::{Dashboard, Monitor};
    ///
    /// let dashboard = Dashboard::new().on_main_port().host("agents.example.com").https();
    /// let monitor = Monitor::builder().bearer_token("s3cret").dashboard(dashboard).build()?;
    /// # Ok::<(), monitor_runtime::BuildError>(())
    /// ```
    pub fn on_main_port(mut self) -> Self {
        self.is_on_main_port = true;
        self
    }

    /// Tells that browsers reach the page by HTTPS, through a proxy that ends TLS. Cookies of a sign-in are then `Secure`.
    pub fn https(mut self) -> Self {
        self.is_https = true;
        self
    }

    /// Shows other instances of the service beside this one, and their pages below `/monitor/i/`.
    ///
    /// The process asks each of them itself, once a second at most and only while somebody looks. Each needs the live page at
    /// the same path, on its admin listener if this monitor has one. A second call replaces the peers of the first.
    pub fn peers(mut self, peers: Peers) -> Self {
        self.peers = Some(peers);
        self
    }

    /// Returns the other instances, if there are settings of them. Their API is where that of this monitor is.
    pub(super) fn fleet(
        &self,
        own_token: Option<&str>,
        base_path: &str,
    ) -> Result<Option<Fleet>, BuildError> {
        let Some(peers) = &self.peers else { return Ok(None) };
        Ok(Some(Fleet::new(peers.places()?, peers.token_or(own_token)?, base_path)))
    }

    /// Starts the recorder of runs, unless it is running.
    pub(super) fn start_recorder(&self) -> Result<(), BuildError> {
        let builder = match self.memory {
            None if run::started().is_some() => return Ok(()),
            None => run::builder(),
            Some(memory) => run::builder().memory(memory),
        };
        builder.start().map(drop).map_err(|reason| BuildError::Recorder { reason })
    }
}

/// The URL of the page on a listener. One that listens on all addresses is shown by the loopback one.
pub(super) fn url(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}/monitor/")
}
