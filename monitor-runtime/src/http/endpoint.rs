//! The `endpoint` label: where a request was routed to, and whether that is a route this layer leaves alone.

use axum::extract::MatchedPath;
use http::Request;

use crate::health::{PATHS as PROBES, Probe};

const UNMATCHED: &str = "unmatched";

/// Tells where the request goes, a route template and never what the client wrote, unless it is a probe.
pub(super) fn route_of<B>(request: &Request<B>) -> Option<&str> {
    match request.extensions().get::<MatchedPath>() {
        Some(route) if is_probe_route(route.as_str()) => None,
        Some(route) => Some(route.as_str()),
        // Without a router that names routes, a probe is known by its exact path.
        None if Probe::at(request.uri().path()).is_some() => None,
        None => Some(UNMATCHED),
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

    fn to(path: &str) -> Request<()> {
        Request::builder().uri(path).body(()).unwrap()
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
        assert_eq!(route_of(&to("/users/7?x=1")), Some("unmatched"));
        assert!(route_of(&to("/health/ready?verbose")).is_none());
        assert!(route_of(&to("/health/ready/database")).is_none());
        assert_eq!(route_of(&to("/users/7/health/live")), Some("unmatched"));
    }
}
