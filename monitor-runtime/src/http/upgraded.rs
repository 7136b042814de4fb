//! The connection that a request was upgraded to, which is in flight for longer than the request is counted.

use std::fmt;
use std::sync::Arc;

use http::Extensions;

use super::guard::RequestGuard;
use crate::families::requests::Route;

/// Keeps an upgraded connection in flight under the route of its request until the last clone is dropped.
///
/// It travels in the extensions of the response. A server that drops these with the head of the response ends it there.
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
    /// That of a layer further in, which counts the request too.
    _inner: Option<UpgradedConnection>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.route.forget();
    }
}

impl UpgradedConnection {
    /// Begins before the request is recorded, so that the route is never without both.
    #[cold]
    pub(super) fn begin(guard: &RequestGuard, extensions: &mut Extensions) {
        if let Some(route) = guard.route() {
            route.start_again();
            let inner = extensions.remove::<Self>();
            extensions.insert(Self { _in_flight: Arc::new(InFlight { route, _inner: inner }) });
        }
    }

    /// Takes it out of a response that is on its way to the client.
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        extensions.remove()
    }
}
