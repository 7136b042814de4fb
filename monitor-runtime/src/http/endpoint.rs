//! The `endpoint` label: the route of a request, and whether the layer leaves that route alone.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::extract::MatchedPath;
use http::{Extensions, HeaderMap, Method, Request, Uri};

#[cfg(feature = "tonic")]
use crate::monitor_route::is_grpc_health;
use crate::monitor_route::{MonitorRoute, TEMPLATES};

/// The endpoint of requests whose route is not known.
pub(super) const UNMATCHED: &str = "unmatched";

/// The head of a request, passed to the function that [names endpoints](super::HttpLayer::endpoint).
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

    /// Returns the method.
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// Returns the URI, as the client sent it.
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// Returns the headers.
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// Returns the extensions, where other routers store the route that they matched.
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }
}

/// The user's function that names the endpoint of a request.
type NameEndpoint = dyn Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync;

/// A [`NameEndpoint`] that all clones of a layer share; see [`HttpLayer::endpoint`](super::HttpLayer::endpoint).
#[derive(Clone)]
pub(super) struct EndpointNamer(Arc<NameEndpoint>);

impl EndpointNamer {
    pub(super) fn new(
        name: impl Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(name))
    }

    pub(super) fn name<B>(&self, request: &Request<B>) -> Option<Cow<'static, str>> {
        self.0(RequestHead::of(request))
    }
}

impl fmt::Debug for EndpointNamer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointNamer")
    }
}

/// The route of a request, as far as it is known before the inner service is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum RouteMatch<'r> {
    /// A route of the monitor, which is not counted.
    Probe,
    /// A route template or a name from the user's code, never the path that the client sent.
    Route(&'r str),
    /// No route yet. A router further in may match one.
    Unmatched,
}

impl<'r> RouteMatch<'r> {
    #[inline]
    pub(super) fn of<B>(request: &'r Request<B>, named: Option<&'r str>) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        let is_probe = match route {
            Some(route) => is_probe_route(route.as_str()),
            // Without a router that names routes, a probe is known by its exact path.
            None => MonitorRoute::at(request.uri().path()).is_some(),
        };
        #[cfg(feature = "tonic")]
        let is_probe = is_probe || is_grpc_health(request.uri().path());
        if is_probe {
            return Self::Probe;
        }
        named.or_else(|| route.map(MatchedPath::as_str)).map_or(Self::Unmatched, Self::Route)
    }
}

/// Whether a route template is a probe's, mounted at the root or below a literal prefix. Below a prefix that captures
/// (`/devices/{id}/health/live`) it is a route of the application, and counted.
fn is_probe_route(template: &str) -> bool {
    let prefix = TEMPLATES.iter().find_map(|probe| template.strip_suffix(probe));
    prefix.is_some_and(|prefix| !prefix.contains('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_probe(path: &str) -> bool {
        match RouteMatch::of(&Request::builder().uri(path).body(()).unwrap(), None) {
            RouteMatch::Probe => true,
            RouteMatch::Unmatched => false,
            RouteMatch::Route(route) => panic!("{route}"),
        }
    }

    #[test]
    fn probes_are_known_below_literal_prefixes_only() {
        for probe in TEMPLATES {
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
    fn without_a_router_probes_are_known_by_their_path() {
        assert!(!is_probe("/users/7?x=1"));
        assert!(is_probe("/health/ready?verbose"));
        assert!(is_probe("/health/ready/database"));
        assert!(!is_probe("/users/7/health/live"));
    }
}
