//! The one place where a request's metrics move: up when it begins, down and recorded when its guard goes.

use http::{Request, StatusCode};
use tracing::Span;

use super::RequestId;
use super::unmatched::{self, Recorded, Unmatched};
use super::upload::GivenUp;
use crate::call::observer;
use crate::cells::clock;
use crate::cells::exemplars::{self, Identity};
use crate::families::method::MethodLabel;
use crate::families::requests::{Route, metrics};

/// What counts for a request whose client did not wait for the end (nginx coined the code).
const CLIENT_LEFT: u16 = 499;
/// What counts when our side broke down: a panic, an error in place of a response, a body that failed.
const BROKEN: u16 = 500;

/// Holds a counted request open, and settles it exactly once: by [`settle`](Guard::settle), or when dropped.
///
/// It moves from the service to the response future to the response body, wherever the request is.
#[derive(Debug)]
pub(super) struct Guard(Option<Exchange>);

impl Guard {
    /// Begins a request: in flight from here on.
    #[inline]
    pub(super) fn begin(method: MethodLabel, endpoint: &str) -> Self {
        let route = metrics().start(method, endpoint);
        Self(Some(Exchange {
            method,
            route,
            started: clock::now(),
            status: CLIENT_LEFT,
            answered: BROKEN,
            rest: None,
            span: None,
        }))
    }

    /// Has the request counted as 499 once its client gave up sending the body, however the handler answers.
    #[cold]
    pub(super) fn expect_upload(&mut self, given_up: GivenUp) {
        if let Some(exchange) = &mut self.0 {
            exchange.rest.get_or_insert_default().given_up = Some(given_up);
        }
    }

    /// Has the request wait for its route, and leaves a mark in it for those further in who know that.
    #[cold]
    pub(super) fn expect_route<B>(&mut self, request: &mut Request<B>, span: Option<&Span>) {
        if let Some(exchange) = &mut self.0 {
            let around = Unmatched::of(request.extensions()).cloned();
            let mark = Unmatched::new(exchange.method, exchange.route, span.cloned(), around);
            exchange.rest.get_or_insert_default().unmatched = Some(mark.clone());
            request.extensions_mut().insert(mark);
        }
    }

    /// Under which labels the request counts, while it is open.
    #[inline]
    pub(super) fn labels(&self) -> Option<Labels> {
        self.0.as_ref().map(|exchange| Labels(exchange.route))
    }

    /// Whether the request turned out to be for one of the monitor's own routes.
    pub(super) fn is_probe(&self) -> bool {
        let rest = self.0.as_ref().and_then(|exchange| exchange.rest.as_ref());
        rest.and_then(|rest| rest.unmatched.as_ref()).is_some_and(Unmatched::is_probe)
    }

    /// Notes what the request is called, where exemplars are kept.
    #[inline]
    pub(super) fn identify(&mut self, span: Option<&Span>, id: Option<&RequestId>) {
        if exemplars::are_kept()
            && let Some(exchange) = &mut self.0
        {
            let own = || Identity::new("request_id", id?.as_str());
            let bound = observer::identify(span);
            if let Some(identity) = bound.or_else(own) {
                exchange.rest.get_or_insert_default().identity = Some(identity);
            }
        }
    }

    /// The guard of a request that moves no metric.
    pub(super) const fn uncounted() -> Self {
        Self(None)
    }

    /// Takes note of the request's span, which is told how the request ended.
    pub(super) fn watch(&mut self, span: Option<&Span>) {
        if observer::is_observed()
            && let Some(exchange) = &mut self.0
        {
            exchange.span = span.cloned();
        }
    }

    /// The guard itself, leaving an uncounted one behind.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// The method, while the request is open.
    pub(super) fn method(&self) -> Option<MethodLabel> {
        self.0.as_ref().map(|exchange| exchange.method)
    }

    /// Whether the request is open.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the request is open and no code of it broke down.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.as_ref().is_some_and(|exchange| exchange.status == CLIENT_LEFT)
    }

    /// Runs code of the request: if it unwinds, the request counts as broken whenever it is dropped, by whomever.
    ///
    /// This is exact where `std::thread::panicking` is not: it tells a request that panicked from one that is dropped
    /// because something else did.
    #[inline]
    pub(super) fn run<T>(&mut self, code: impl FnOnce() -> T) -> T {
        self.enter();
        let value = code();
        self.leave();
        value
    }

    /// The first half of [`run`](Self::run), for code whose values are too large to be moved into a closure.
    #[inline]
    pub(super) fn enter(&mut self) {
        self.would_be(BROKEN);
    }

    /// The second half of [`run`](Self::run).
    #[inline]
    pub(super) fn leave(&mut self) {
        self.would_be(CLIENT_LEFT);
    }

    /// Notes the status of the response, whose body is still to come.
    #[inline]
    pub(super) fn answer(&mut self, status: StatusCode) {
        if let Some(exchange) = &mut self.0 {
            exchange.answered = status.as_u16();
        }
    }

    /// Ends the request with the status of its response; later calls change nothing.
    #[inline]
    pub(super) fn settle(&mut self) {
        if let Some(exchange) = &mut self.0 {
            let has_left = exchange.rest.as_ref().is_some_and(|rest| rest.has_given_up());
            exchange.status = if has_left { CLIENT_LEFT } else { exchange.answered };
            self.0 = None;
        }
    }

    /// Ends the request as broken; later calls change nothing.
    #[cold]
    pub(super) fn fail(&mut self) {
        self.answer(StatusCode::INTERNAL_SERVER_ERROR);
        self.settle();
    }

    #[inline]
    fn would_be(&mut self, status: u16) {
        if let Some(exchange) = &mut self.0 {
            exchange.status = status;
        }
    }
}

/// One request on its way; recorded when dropped.
#[derive(Debug)]
struct Exchange {
    method: MethodLabel,
    route: Route,
    /// In the clock's own ticks.
    started: u64,
    /// What the request counts as if it ends now.
    status: u16,
    /// What the request counts as if it ends as it should: the status of its response.
    answered: u16,
    /// Behind a pointer, since the exchange is moved from place to place.
    rest: Option<Box<Rest>>,
    span: Option<Span>,
}

/// What few requests need.
#[derive(Debug, Default)]
struct Rest {
    /// Where exemplars are kept: what the request is called as one.
    identity: Option<Identity>,
    /// Of a request with a body: whether the client stopped in the middle of it.
    given_up: Option<GivenUp>,
    /// Of a request without a route: who further in may know it.
    unmatched: Option<Unmatched>,
}

impl Rest {
    fn has_given_up(&self) -> bool {
        self.given_up.as_ref().is_some_and(GivenUp::is_set)
    }

    /// Where the request is to be recorded that came in at a route, if anywhere.
    #[cold]
    fn end(&self, came_in: Route, status: u16) -> Option<Route> {
        match self.unmatched.as_ref().map(Unmatched::end) {
            None => Some(came_in),
            Some(Recorded::Matched(route)) => Some(route),
            Some(Recorded::Unmatched(route)) => {
                if (200..400).contains(&status) {
                    unmatched::note_answered();
                }
                Some(route)
            }
            Some(Recorded::Nowhere) => None,
        }
    }
}

/// Under which labels a request counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels(Route);

impl Labels {
    /// The method and the endpoint.
    pub(super) fn values(self) -> [&'static str; 2] {
        self.0.labels()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let nanos = clock::nanos_since(self.started);
        match self.rest.take() {
            None => metrics().finish(self.route, self.status, nanos),
            Some(rest) => {
                let Some(route) = rest.end(self.route, self.status) else { return };
                metrics().finish(route, self.status, nanos);
                if let Some(identity) = rest.identity {
                    route.offer_exemplar(nanos, identity);
                }
            }
        }
        observer::notify(|observer| observer.request_ended(self.span.as_ref(), self.status, nanos));
    }
}
