//! The access line: one event for each request, written when the request ends.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::Request;
use tracing::Span;

use crate::families::requests::Route;

/// The logger of access lines.
const TARGET: &str = "monitor_runtime::access";

/// The settings of access lines, for [`HttpLayer::access_log`](super::HttpLayer::access_log).
///
/// ```
/// use monitor_runtime::http::{AccessLog, HttpLayer};
///
/// let layer = HttpLayer::new().access_log(AccessLog::new().client_address());
/// # drop(layer);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "settings do nothing until a layer has them"]
pub struct AccessLog {
    has_client: bool,
}

impl AccessLog {
    /// Returns the defaults: no client address.
    pub const fn new() -> Self {
        Self { has_client: false }
    }

    /// Adds the field `client_address`: the address of the connection's other end, with its port.
    ///
    /// Behind a proxy it is the proxy's address. Headers such as `x-forwarded-for` are not read, since a client can
    /// write them. An address is personal data in many countries. The field is missing if the server provides no
    /// `ConnectInfo<SocketAddr>`. [`Monitor::serve`](crate::Monitor::serve) provides it for TCP.
    pub const fn client_address(self) -> Self {
        Self { has_client: true }
    }

    /// Begins the record of a request.
    pub(super) fn begin<B>(self, request: &Request<B>, span: Option<&Span>) -> AccessRecord {
        let client =
            || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|&ConnectInfo(address)| address);
        let client = if self.has_client { client() } else { None };
        AccessRecord { span: span.cloned(), client, bytes: 0 }
    }
}

/// The data of one access line beyond that of the metrics.
#[derive(Debug)]
pub(super) struct AccessRecord {
    /// The span that binds the request's fields to the line, if one is open.
    span: Option<Span>,
    client: Option<SocketAddr>,
    /// The bytes of the response's body so far.
    bytes: u64,
}

impl AccessRecord {
    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Writes the line of a request that ended.
    pub(super) fn write(&self, route: Route, status: u16, nanos: u64) {
        let Self { span, client, bytes } = self;
        // A span binds both already, so that these would become `field.method` and `field.endpoint`.
        let labels = span.is_none().then(|| route.labels());
        let (method, endpoint) = (labels.map(|[method, _]| method), labels.map(|[_, endpoint]| endpoint));
        let client_address = client.as_ref().map(tracing::field::display);
        let write = || {
            tracing::info!(
                target: TARGET,
                method,
                endpoint,
                status,
                duration_ms = milliseconds(nanos),
                bytes,
                client_address,
                "request ended"
            );
        };
        match span {
            Some(span) => span.in_scope(write),
            None => write(),
        }
    }
}

/// Milliseconds with at most three decimals, so that the number is short.
fn milliseconds(nanos: u64) -> f64 {
    (nanos / 1_000) as f64 / 1_000.0
}
