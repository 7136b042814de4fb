//! The state behind the endpoints of a monitor.

use std::sync::Arc;

use ::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;

use super::answer;
use super::answer::ReadinessQuery;
use super::bearer::BearerAuth;
use crate::exposition::scrape_registry::ScrapeRegistry;
use crate::families::pools::PoolSource;
use crate::health::Engine;
use crate::monitor_route::MonitorRoute;

/// The checks, the metrics and the bearer token of a monitor. Every router of the monitor holds it, so it lives as long
/// as the endpoints.
pub(in crate::monitor) struct Endpoints {
    pub(in crate::monitor) engine: Arc<Engine>,
    /// The path that precedes every route: empty, or without a slash at its end.
    pub(in crate::monitor) base_path: Box<str>,
    pub(in crate::monitor) bearer: BearerAuth,
    pub(in crate::monitor) exposed: ScrapeRegistry,
    /// The name and the version of the service.
    #[cfg(feature = "runs")]
    pub(in crate::monitor) service: (String, String),
    /// The live page, if it is switched on.
    #[cfg(feature = "dashboard")]
    pub(in crate::monitor) dashboard: Option<crate::monitor::dashboard::Dashboard>,
    /// The other instances of the service, if the page shows them.
    #[cfg(feature = "dashboard")]
    pub(in crate::monitor) fleet: Option<crate::monitor::fleet::Fleet>,
    /// Kept so that the pools' gauges are shown.
    pub(in crate::monitor) _pools: Vec<Arc<PoolSource>>,
}

impl Endpoints {
    pub(in crate::monitor) fn ready(&self) -> Response<Bytes> {
        answer::readiness(&self.engine.health(), &ReadinessQuery::default(), true)
    }

    pub(in crate::monitor) fn startup(&self) -> Response<Bytes> {
        self.answer_startup(true)
    }

    /// The route at a path, which includes the base path.
    pub(in crate::monitor) fn route_at<'a>(&self, path: &'a str) -> Option<MonitorRoute<'a>> {
        MonitorRoute::below(&self.base_path, path)
    }

    pub(in crate::monitor) fn answer<B>(&self, request: &Request<B>) -> Option<Response<Bytes>> {
        let route = self.route_at(request.uri().path())?;
        #[cfg(feature = "http")]
        crate::http::exclude_from_metrics(request.extensions());
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(answer::method_not_allowed());
        }
        Some(self.answer_route(route, request.uri().query(), request.headers()))
    }

    pub(in crate::monitor) fn answer_route(
        &self,
        route: MonitorRoute<'_>,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Response<Bytes> {
        let (engine, admitted) = (&self.engine, self.bearer.admits(headers));
        match route {
            MonitorRoute::Live => answer::alive(),
            MonitorRoute::Ready => answer::readiness(&engine.health(), &ReadinessQuery::of(query), admitted),
            MonitorRoute::Check(name) => answer::one_check(&engine.views(), name, admitted),
            MonitorRoute::Startup => self.answer_startup(admitted),
            MonitorRoute::Metrics if admitted => answer::negotiated(&self.exposed, headers),
            MonitorRoute::Metrics => answer::unauthorized(),
        }
    }

    fn answer_startup(&self, admitted: bool) -> Response<Bytes> {
        let checks = self.engine.views();
        answer::startup(self.engine.is_started(), &checks, admitted)
    }
}
