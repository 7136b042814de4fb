//! The servers of a monitor: their settings, and their shared state while they run.

use std::net::SocketAddr;
use std::sync::Arc;

use super::admin::{Admin, AdminSettings, Bound};
use super::drain::{Serving, Stopping};
use super::endpoints::Endpoints;
use super::error::BuildError;
use super::server::ConnectionLimits;
use crate::http::AccessLog;
#[cfg(feature = "tonic")]
use crate::http::GrpcServices;

/// The settings of [`Monitor::serve`](super::Monitor::serve) and of the admin listener.
#[derive(Default)]
pub(super) struct ServerSettings {
    pub(super) stopping: Stopping,
    pub(super) limits: ConnectionLimits,
    pub(super) admin: AdminSettings,
    pub(super) access_log: Option<AccessLog>,
    #[cfg(feature = "tonic")]
    pub(super) grpc: GrpcServices,
}

impl ServerSettings {
    /// Checks every setting, then binds the address of the admin listener.
    pub(super) fn bind(self) -> Result<BoundServers, BuildError> {
        self.stopping.validate()?;
        match self.limits.zero_setting() {
            Some("connections") => return Err(BuildError::ZeroConnections),
            Some(setting) => return Err(BuildError::ZeroConnectionTimeout { setting }),
            None => {}
        }
        #[cfg(feature = "tonic")]
        if let Some(name) = self.grpc.invalid_name() {
            return Err(BuildError::GrpcName { name: name.to_owned() });
        }
        let admin = self.admin.bind()?;
        Ok(BoundServers {
            serving: Serving::new(self.stopping, self.limits),
            admin,
            access_log: self.access_log,
            #[cfg(feature = "tonic")]
            grpc: self.grpc,
        })
    }
}

/// Servers whose addresses are bound, and which do not answer yet.
pub(super) struct BoundServers {
    serving: Serving,
    admin: Option<Bound>,
    access_log: Option<AccessLog>,
    #[cfg(feature = "tonic")]
    grpc: GrpcServices,
}

impl BoundServers {
    /// Starts the admin listener, if one is configured.
    pub(super) fn start(self, endpoints: &Arc<Endpoints>) -> Result<Servers, BuildError> {
        let admin = self.admin.map(|bound| bound.start(Arc::clone(endpoints))).transpose()?;
        Ok(Servers {
            serving: Arc::new(self.serving),
            admin: admin.map(Arc::new),
            access_log: self.access_log,
            #[cfg(feature = "tonic")]
            grpc: Arc::new(self.grpc),
        })
    }
}

/// The state of the servers, which all clones of a monitor share.
#[derive(Clone)]
pub(super) struct Servers {
    pub(super) serving: Arc<Serving>,
    /// The listener holds the endpoints only, so it ends when the last clone of the monitor is dropped.
    pub(super) admin: Option<Arc<Admin>>,
    pub(super) access_log: Option<AccessLog>,
    #[cfg(feature = "tonic")]
    pub(super) grpc: Arc<GrpcServices>,
}

impl Servers {
    pub(super) fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }
}
