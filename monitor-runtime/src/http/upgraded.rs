//! An upgraded connection, which stays in flight after its request is counted.

use std::fmt;
use std::sync::Arc;

use http::Extensions;

use super::guard::RequestGuard;
use crate::families::requests::Route;

/// Keeps an upgraded connection in flight under the route of its request until the last clone is dropped.
///
/// It travels in the extensions of the response. If a server drops these with the head of the response, it ends there.
#[derive(Clone)]
pub(crate) struct UpgradedConnection {
    _in_flight: Arc<InFlight>,
}

impl fmt::Debug for UpgradedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpgradedConnection")
    }
}

struct InFlight {
    route: Route,
    /// The guard of an inner layer, which counts the request too.
    _inner: Option<UpgradedConnection>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.route.forget();
    }
}

impl UpgradedConnection {
    /// Counts the connection as in flight. It is called before the request is settled, so that the gauge does not drop
    /// in between.
    #[cold]
    pub(super) fn begin(guard: &RequestGuard, extensions: &mut Extensions) {
        if let Some(route) = guard.route() {
            route.start_again();
            let inner = extensions.remove::<Self>();
            extensions.insert(Self { _in_flight: Arc::new(InFlight { route, _inner: inner }) });
        }
    }

    /// Takes the connection out of the extensions of a response on its way to the client.
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        extensions.remove()
    }
}
