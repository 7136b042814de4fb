//! Counts a request: in flight while its guard lives, and recorded once, when the guard is settled or dropped.
//!
//! ```text
//!          ┌─ enter ─► tentative 500 ─ leave ─┐       the code of the request runs in between
//!          │                                  ▼
//! begin ─► open, tentative 499 ───────────────┴─┬─ settle ─► the response's status (499 after an aborted upload)
//!                                               ├─ fail ───► 500 (499 after an aborted upload)
//!                                               └─ drop ───► the tentative status
//! ```

#[cfg(feature = "tonic")]
use http::HeaderMap;
use http::{Request, StatusCode};
use tracing::Span;

use super::access::AccessRecord;
#[cfg(feature = "tonic")]
use super::grpc::GrpcCall;
use super::pending_route::{self, PendingRoute, Resolved};
use super::request_id::RequestId;
use super::upload::UploadAborted;
use crate::call::call_id::CallId;
use crate::call::observer;
use crate::cells::clock;
use crate::cells::exemplars::{self, Identity};
use crate::families::method::MethodLabel;
use crate::families::requests::{Route, metrics};

/// The status of a request whose client did not wait for the end; nginx's code.
const CLIENT_LEFT: u16 = 499;
/// The status of a request that the server failed, by a panic, an error instead of a response, or a body that failed.
const BROKEN: u16 = 500;

/// Keeps a counted request in flight and records it exactly once: when it is [settled](Self::settle), or when it is
/// dropped.
///
/// The guard moves with the request, from the service to the response future to the response body. It is empty once the
/// request is recorded, and from the start if the request is not counted.
#[derive(Debug)]
pub(super) struct RequestGuard(Option<RequestRecord>);

impl RequestGuard {
    /// Counts a request as in flight.
    #[inline]
    pub(super) fn begin(method: MethodLabel, endpoint: &str) -> (Self, Route) {
        let route = metrics().start(method, endpoint);
        let record = RequestRecord {
            method,
            route,
            started: clock::now(),
            tentative_status: CLIENT_LEFT,
            response_status: BROKEN,
            rare: None,
        };
        (Self(Some(record)), route)
    }

    /// Makes the guard of a request that moves no metric.
    pub(super) const fn uncounted() -> Self {
        Self(None)
    }

    /// Moves the record out, and leaves an empty guard behind.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Records the request as 499 if its upload is aborted, whatever the handler answers.
    #[cold]
    pub(super) fn watch_upload(&mut self, aborted: UploadAborted) {
        if let Some(record) = &mut self.0 {
            record.rare.get_or_insert_default().upload_aborted = Some(aborted);
        }
    }

    /// Keeps the gRPC call that the request is, to count its status.
    #[cfg(feature = "tonic")]
    #[cold]
    pub(super) fn keep_grpc(&mut self, mut call: GrpcCall, span: Option<&Span>) {
        if let Some(record) = &mut self.0 {
            call.set_span(span);
            record.rare.get_or_insert_default().grpc = Some(call);
        }
    }

    /// Reads the status of a gRPC call from the headers or the trailers of its response.
    #[cfg(feature = "tonic")]
    #[inline]
    pub(super) fn note_grpc_status(&mut self, headers: &HeaderMap) {
        let rare = self.0.as_mut().and_then(|record| record.rare.as_mut());
        if let Some(call) = rare.and_then(|rare| rare.grpc.as_mut()) {
            call.note_status(headers);
        }
    }

    /// Leaves the request's route open, and puts a [`PendingRoute`] into its extensions for the layers further in.
    #[cold]
    pub(super) fn wait_for_route<B>(&mut self, request: &mut Request<B>, span: Option<&Span>) {
        if let Some(record) = &mut self.0 {
            let outer = PendingRoute::of(request.extensions()).cloned();
            let pending = PendingRoute::new(record.method, record.route, span.cloned(), outer);
            record.rare.get_or_insert_default().pending_route = Some(pending.clone());
            request.extensions_mut().insert(pending);
        }
    }

    /// Names the request for its exemplar, if exemplars are kept.
    #[inline]
    pub(super) fn identify(&mut self, span: Option<&Span>, id: Option<&RequestId>) {
        if !exemplars::are_kept() {
            return;
        }
        if let Some(record) = &mut self.0 {
            let own = || Identity::new("request_id", id?.as_str());
            let bound = observer::identify(span, CallId::NONE);
            if let Some(identity) = bound.or_else(own) {
                record.rare.get_or_insert_default().identity = Some(identity);
            }
        }
    }

    /// Keeps the request's span for the observers, which are notified when the request ends.
    #[inline]
    pub(super) fn keep_span(&mut self, span: Option<&Span>) {
        if !observer::is_observed() {
            return;
        }
        if let (Some(record), Some(span)) = (&mut self.0, span) {
            record.rare.get_or_insert_default().span = Some(span.clone());
        }
    }

    /// Has an access line written when the request ends.
    #[cold]
    pub(super) fn log_access(&mut self, access: AccessRecord) {
        if let Some(record) = &mut self.0 {
            record.rare.get_or_insert_default().access = Some(access);
        }
    }

    /// Counts bytes of the response's body, if the request has an access line.
    #[inline]
    pub(super) fn count_sent(&mut self, bytes: impl FnOnce() -> usize) {
        let rare = self.0.as_mut().and_then(|record| record.rare.as_mut());
        if let Some(access) = rare.and_then(|rare| rare.access.as_mut()) {
            access.add_bytes(bytes());
        }
    }

    /// Whether the request turned out to be for one of the monitor's own routes.
    pub(super) fn is_probe(&self) -> bool {
        let rare = self.0.as_ref().and_then(|record| record.rare.as_ref());
        rare.and_then(|rare| rare.pending_route.as_ref()).is_some_and(PendingRoute::is_probe)
    }

    /// The route under which the request is in flight; `None` for a probe.
    pub(super) fn route(&self) -> Option<Route> {
        let record = self.0.as_ref()?;
        match record.rare.as_ref().and_then(|rare| rare.pending_route.as_ref()) {
            Some(pending) => pending.route(),
            None => Some(record.route),
        }
    }

    /// The method, while the request is open.
    pub(super) fn method(&self) -> Option<MethodLabel> {
        self.0.as_ref().map(|record| record.method)
    }

    /// Whether the request is counted and not recorded yet.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the request is open and none of its code has panicked.
    pub(super) fn is_intact(&self) -> bool {
        self.0.as_ref().is_some_and(|record| record.tentative_status == CLIENT_LEFT)
    }

    /// Runs code of the request. If the code unwinds, the request is recorded as 500 when its guard is dropped.
    ///
    /// `std::thread::panicking` would be wrong in that drop: it is also true of a request that is dropped because
    /// something else panicked.
    #[inline]
    pub(super) fn run<T>(&mut self, code: impl FnOnce() -> T) -> T {
        self.enter();
        let value = code();
        self.leave();
        value
    }

    /// Does the first half of [`run`](Self::run), for code whose value is too large to be moved out of a closure.
    #[inline]
    pub(super) fn enter(&mut self) {
        self.set_tentative_status(BROKEN);
    }

    /// Does the second half of [`run`](Self::run).
    #[inline]
    pub(super) fn leave(&mut self) {
        self.set_tentative_status(CLIENT_LEFT);
    }

    #[inline]
    fn set_tentative_status(&mut self, status: u16) {
        if let Some(record) = &mut self.0 {
            record.tentative_status = status;
        }
    }

    /// Notes the status of the response, whose body is still to be sent.
    #[inline]
    pub(super) fn set_response_status(&mut self, status: StatusCode) {
        if let Some(record) = &mut self.0 {
            record.response_status = status.as_u16();
        }
    }

    /// Records the request with the status of its response. Later calls change nothing.
    #[inline]
    pub(super) fn settle(&mut self) {
        if let Some(record) = &mut self.0 {
            let is_aborted = record.rare.as_ref().is_some_and(|rare| rare.is_upload_aborted());
            record.tentative_status = if is_aborted { CLIENT_LEFT } else { record.response_status };
            self.0 = None;
        }
    }

    /// Records the request as broken. Later calls change nothing.
    #[cold]
    pub(super) fn fail(&mut self) {
        self.set_response_status(StatusCode::INTERNAL_SERVER_ERROR);
        self.settle();
    }
}

/// One request in flight, recorded when dropped.
///
/// It is moved twice for every request, so it is kept small: state that few requests need is behind a pointer.
#[derive(Debug)]
struct RequestRecord {
    method: MethodLabel,
    route: Route,
    /// When the request began, in ticks of the clock.
    started: u64,
    /// The status with which the request is recorded if it is dropped now.
    tentative_status: u16,
    /// The status with which the request is recorded if it ends normally.
    response_status: u16,
    rare: Option<Box<RareState>>,
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        let (status, nanos) = (self.tentative_status, clock::nanos_since(self.started));
        match self.rare.take() {
            None => {
                metrics().finish(self.route, status, nanos);
                observer::notify(|observer| observer.request_ended(None, status, nanos));
            }
            Some(rare) => rare.finish(self.route, status, nanos),
        }
    }
}

/// The state that few requests need.
#[derive(Debug, Default)]
struct RareState {
    /// The request's name as an exemplar, if exemplars are kept.
    identity: Option<Identity>,
    /// Set if there are observers.
    span: Option<Span>,
    /// Set if the request has a body.
    upload_aborted: Option<UploadAborted>,
    /// Set if no router had matched the request when it began.
    pending_route: Option<PendingRoute>,
    /// Set if the request has an access line.
    access: Option<AccessRecord>,
    /// Set if the request is a gRPC call, and its layer knows services.
    #[cfg(feature = "tonic")]
    grpc: Option<GrpcCall>,
}

impl RareState {
    fn is_upload_aborted(&self) -> bool {
        self.upload_aborted.as_ref().is_some_and(UploadAborted::is_set)
    }

    /// Records a request that began under the route `initial`, unless it is a probe.
    #[cold]
    fn finish(self, initial: Route, status: u16, nanos: u64) {
        let Some(route) = self.close_route(initial, status) else { return };
        #[cfg(feature = "tonic")]
        if let Some(call) = self.grpc {
            // First, so that a call that is no longer in flight is counted.
            call.finish(status == CLIENT_LEFT, status);
        }
        metrics().finish(route, status, nanos);
        if let Some(identity) = self.identity {
            route.offer_exemplar(nanos, identity);
        }
        observer::notify(|observer| observer.request_ended(self.span.as_ref(), status, nanos));
        if let Some(access) = &self.access {
            access.write(route, status, nanos);
        }
    }

    /// Closes the pending route, and returns the route to record the request under; `None` for a probe.
    fn close_route(&self, initial: Route, status: u16) -> Option<Route> {
        match self.pending_route.as_ref().map(PendingRoute::close) {
            None => Some(initial),
            Some(Resolved::Matched(route)) => Some(route),
            Some(Resolved::Unmatched(route)) => {
                if (200..400).contains(&status) {
                    pending_route::note_unmatched_success();
                }
                Some(route)
            }
            Some(Resolved::NotCounted) => None,
        }
    }
}
