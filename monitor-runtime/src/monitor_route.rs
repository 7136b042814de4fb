//! The routes of a monitor's endpoints, which the request layer does not count.

pub(crate) const LIVE: &str = "/health/live";
pub(crate) const READY: &str = "/health/ready";
pub(crate) const CHECK: &str = "/health/ready/{name}";
pub(crate) const STARTUP: &str = "/health/startup";
pub(crate) const METRICS: &str = "/health/metrics";

/// All routes, as templates of axum.
#[cfg(feature = "http")]
pub(crate) const TEMPLATES: [&str; 5] = [LIVE, READY, CHECK, STARTUP, METRICS];

/// The methods of the gRPC health service, which are probes too.
#[cfg(feature = "tonic")]
pub(crate) const GRPC_CHECK: &str = "/grpc.health.v1.Health/Check";
#[cfg(feature = "tonic")]
pub(crate) const GRPC_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// Whether a path is one of the gRPC health service.
#[cfg(feature = "tonic")]
pub(crate) fn is_grpc_health(path: &str) -> bool {
    matches!(path, GRPC_CHECK | GRPC_WATCH)
}

/// A route of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MonitorRoute<'a> {
    Live,
    Ready,
    /// A single check, by its name.
    Check(&'a str),
    Startup,
    Metrics,
}

impl<'a> MonitorRoute<'a> {
    /// The route at this path below a base path, which does not end with a slash.
    pub(crate) fn below(base_path: &str, path: &'a str) -> Option<Self> {
        Self::at(path.strip_prefix(base_path)?)
    }

    /// The route at exactly this path.
    pub(crate) fn at(path: &'a str) -> Option<Self> {
        match path {
            LIVE => Some(Self::Live),
            READY => Some(Self::Ready),
            STARTUP => Some(Self::Startup),
            METRICS => Some(Self::Metrics),
            _ => {
                let name = path.strip_prefix(READY)?.strip_prefix('/')?;
                (!name.is_empty() && !name.contains('/')).then_some(Self::Check(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_below_a_base_path_are_there_alone() {
        assert_eq!(MonitorRoute::below("", "/health/live"), Some(MonitorRoute::Live));
        assert_eq!(MonitorRoute::below("/a/b", "/a/b/health/ready/x"), Some(MonitorRoute::Check("x")));
        for path in ["/health/live", "/a/health/live", "/a/bhealth/live", "/x/a/b/health/live"] {
            assert_eq!(MonitorRoute::below("/a/b", path), None, "{path}");
        }
    }

    #[test]
    fn routes_are_known_by_their_exact_paths() {
        assert_eq!(MonitorRoute::at("/health/ready"), Some(MonitorRoute::Ready));
        assert_eq!(MonitorRoute::at("/health/ready/database"), Some(MonitorRoute::Check("database")));
        for path in
            ["/", "/health", "/health/ready/", "/health/ready/a/b", "/health/readyz", "/x/health/live"]
        {
            assert_eq!(MonitorRoute::at(path), None, "{path}");
        }
    }
}
