//! The `endpoint` label: where a request was routed to, and whether that is a route this layer leaves alone.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::extract::MatchedPath;
use http::{Extensions, HeaderMap, Method, Request, Uri};

use crate::health::{PATHS as PROBES, Probe};

pub(super) const UNMATCHED: &str = "unmatched";

/// A request's head, as [`HttpLayer::endpoint`](super::HttpLayer::endpoint) shows it to a closure that names endpoints.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    fn of<B>(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The method.
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// The URI, as the client wrote it.
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// The headers.
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// The extensions, in which other routers leave the route that they matched.
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }
}

/// What the user's code calls a request's endpoint.
type Name = dyn Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync;

/// See [`HttpLayer::endpoint`](super::HttpLayer::endpoint).
#[derive(Clone)]
pub(super) struct Naming(Arc<Name>);

impl Naming {
    pub(super) fn new(
        name: impl Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(name))
    }

    pub(super) fn name<B>(&self, request: &Request<B>) -> Option<Cow<'static, str>> {
        self.0(RequestHead::of(request))
    }
}

impl fmt::Debug for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Naming")
    }
}

/// Where a request goes, as far as can be told before the inner service is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'r> {
    /// To a route of the monitor, which is left alone.
    Probe,
    /// A route template or a name from the user's code, never what the client wrote.
    Route(&'r str),
    /// A router further in may know.
    Unmatched,
}

impl<'r> Place<'r> {
    #[inline]
    pub(super) fn of<B>(request: &'r Request<B>, named: Option<&'r str>) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        let is_probe = match route {
            Some(route) => is_probe_route(route.as_str()),
            // Without a router that names routes, a probe is known by its exact path.
            None => Probe::at(request.uri().path()).is_some(),
        };
        if is_probe {
            return Self::Probe;
        }
        named.or_else(|| route.map(MatchedPath::as_str)).map_or(Self::Unmatched, Self::Route)
    }
}

/// Whether the template is a probe's, mounted at the root or below a literal prefix. A prefix that captures belongs to
/// somebody's own API (`/devices/{id}/health/live`), which is counted like any other.
fn is_probe_route(template: &str) -> bool {
    let prefix = PROBES.iter().find_map(|probe| template.strip_suffix(probe));
    prefix.is_some_and(|prefix| !prefix.contains('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_probe(path: &str) -> bool {
        match Place::of(&Request::builder().uri(path).body(()).unwrap(), None) {
            Place::Probe => true,
            Place::Unmatched => false,
            Place::Route(route) => panic!("{route}"),
        }
    }

    #[test]
    fn probes_are_known_below_literal_prefixes_only() {
        for probe in PROBES {
            assert!(is_probe_route(probe));
            assert!(is_probe_route(&format!("/internal{probe}")));
            assert!(!is_probe_route(&format!("/devices/{{id}}{probe}")));
            assert!(!is_probe_route(&format!("{probe}/more")));
        }
        for other in
            ["/", "/health", "/health/alive", "/health/ready/{name}/x", "/myhealth/live", "/unhealth/ready"]
        {
            assert!(!is_probe_route(other), "{other}");
        }
    }

    #[test]
    fn without_a_router_requests_are_unmatched_and_probes_known_by_path() {
        assert!(!is_probe("/users/7?x=1"));
        assert!(is_probe("/health/ready?verbose"));
        assert!(is_probe("/health/ready/database"));
        assert!(!is_probe("/users/7/health/live"));
    }
}
