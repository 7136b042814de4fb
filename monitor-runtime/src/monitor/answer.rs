//! A request to one of the monitor's routes, and what it is answered.

use ::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;

use super::{BuildError, Monitor, MonitorBuilder};
use crate::health::{self, Guard, Probe, Question};

impl MonitorBuilder {
    /// Guards bodies and metrics by a token: without `authorization: Bearer <token>` the metrics answer 401, and probes
    /// answer their status code and nothing of the checks. When not set, everybody may read everything.
    ///
    /// Letters, digits and `-._~+/=`, as many as you like; tokens are compared in constant time.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.bearer_token = Some(token.into());
        self
    }

    pub(super) fn guard(&self) -> Result<Guard, BuildError> {
        let token = self.bearer_token.as_deref();
        match token {
            Some("") => Err(BuildError::EmptyToken),
            Some(token) if !token.bytes().all(is_token_byte) => Err(BuildError::TokenCharacter),
            _ => Ok(Guard::new(token)),
        }
    }
}

/// What a bearer token is made of, <https://www.rfc-editor.org/rfc/rfc6750#section-2.1>.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

impl Monitor {
    /// Answers a request to one of the monitor's routes as the axum routes do, for any other server; `None` where the
    /// path is none of them.
    ///
    /// Takes in all that a request can ask for: `/health/ready?verbose`, `?exclude=<name>`, `/health/ready/<name>`, and the
    /// bearer token. Methods other than `GET` and `HEAD` are answered 405; the server leaves the body of a `HEAD` out. A
    /// request for the metrics may block its thread as [`metrics`](Monitor::metrics) does, any other does not.
    ///
    /// ```
    /// use http::Request;
    /// use monitor_runtime::Monitor;
    ///
    /// let monitor = Monitor::builder().build()?;
    /// let request = Request::get("/health/ready?verbose").body(())?;
    /// let response = monitor.answer(&request).ok_or("not a route of the monitor")?;
    /// assert_eq!(response.body(), "ready check passed\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn answer<B>(&self, request: &Request<B>) -> Option<Response<Bytes>> {
        let probe = Probe::at(request.uri().path())?;
        #[cfg(feature = "http")]
        crate::http::exclude_from_metrics(request.extensions());
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(health::method_not_allowed());
        }
        Some(self.answer_probe(probe, request.uri().query(), request.headers()))
    }

    pub(crate) fn answer_probe(
        &self,
        probe: Probe<'_>,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Response<Bytes> {
        let (engine, admitted) = (&self.inner.engine, self.inner.guard.admits(headers));
        match probe {
            Probe::Live => self.live(),
            Probe::Ready => health::readiness(&engine.health(), &Question::of(query), admitted),
            Probe::Check(name) => health::one_check(&engine.views(), name, admitted),
            Probe::Startup => health::startup(engine.is_started(), &engine.views(), admitted),
            Probe::Metrics if admitted => self.scrape(headers),
            Probe::Metrics => health::unauthorized(),
        }
    }
}
