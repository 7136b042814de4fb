//! A request that reached the layer before a router matched it; a layer further in reports its route.
//!
//! Until then the request is in flight under `unmatched`. When it moves, the new series counts it before the old one
//! forgets it, so no scrape of the gauge misses it.
//!
//! ```text
//!             resolve(Route)
//! Unmatched ────────────────► Matched ──┐
//!     │  │    resolve(Probe)            │ close
//!     │  └──────────────────► Probe ────┤
//!     │            close                ▼
//!     └─────────────────────────────► Closed
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Extensions;
use tracing::Span;

use super::endpoint::{RouteMatch, UNMATCHED};
use super::span::TARGET;
use crate::call::observer;
use crate::families::method::MethodLabel;
use crate::families::requests::{Route, metrics};

/// The number of successful requests without any matched route after which the log warns.
const WARN_AFTER: u32 = 100;

/// Passed inwards in the request's extensions, to layers further in and to the monitor's own routes.
#[derive(Clone, Debug)]
pub(super) struct PendingRoute(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    method: MethodLabel,
    span: Option<Span>,
    /// The pending route of a layer further out, which counts the request as well.
    outer: Option<PendingRoute>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Unmatched(Route),
    Matched(Route),
    /// Taken out of the metrics.
    Probe,
    /// Recorded; a route reported from now on is too late.
    Closed,
}

/// The route under which a request is recorded, once its pending route is closed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resolved {
    Unmatched(Route),
    Matched(Route),
    NotCounted,
}

impl PendingRoute {
    /// Makes the pending route of a request that is in flight under `route`.
    pub(super) fn new(method: MethodLabel, route: Route, span: Option<Span>, outer: Option<Self>) -> Self {
        Self(Arc::new(Shared { method, span, outer, state: Mutex::new(State::Unmatched(route)) }))
    }

    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Moves the request to the route that matched, here and in the layers further out. The first match counts.
    #[cold]
    pub(super) fn resolve(&self, matched: RouteMatch<'_>) {
        if let Some(outer) = &self.0.outer {
            outer.resolve(matched);
        }
        let mut state = self.lock();
        if let State::Unmatched(route) = *state {
            match matched {
                RouteMatch::Probe => {
                    route.forget();
                    *state = State::Probe;
                }
                RouteMatch::Route(endpoint) => {
                    *state = State::Matched(metrics().reroute(route, self.0.method, endpoint));
                    // A subscriber may call back.
                    drop(state);
                    self.rename_span(endpoint);
                }
                RouteMatch::Unmatched => {}
            }
        }
    }

    fn rename_span(&self, endpoint: &str) {
        if let Some(span) = &self.0.span {
            span.record("endpoint", endpoint);
            let method = self.0.method.as_str();
            observer::notify(|observer| observer.request_routed(span, method, endpoint));
        }
    }

    /// The route under which the request is in flight; `None` for a probe, and after the end.
    pub(super) fn route(&self) -> Option<Route> {
        match *self.lock() {
            State::Unmatched(route) | State::Matched(route) => Some(route),
            State::Probe | State::Closed => None,
        }
    }

    pub(super) fn is_probe(&self) -> bool {
        matches!(*self.lock(), State::Probe)
    }

    /// Ends the wait for a route, since the request is recorded now.
    pub(super) fn close(&self) -> Resolved {
        match std::mem::replace(&mut *self.lock(), State::Closed) {
            State::Unmatched(route) => Resolved::Unmatched(route),
            State::Matched(route) => Resolved::Matched(route),
            State::Probe | State::Closed => Resolved::NotCounted,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a request to one of the monitor's own routes out of the metrics, however the route was mounted.
pub(crate) fn exclude_from_metrics(extensions: &Extensions) {
    if let Some(pending) = PendingRoute::of(extensions) {
        pending.resolve(RouteMatch::Probe);
    }
}

/// Notes a request that succeeded without a route. If all requests do, the layer cannot read the service's router, and
/// the log says so once.
pub(super) fn note_unmatched_success() {
    static SUCCEEDED: AtomicU32 = AtomicU32::new(0);
    if SUCCEEDED.load(Ordering::Relaxed) < WARN_AFTER
        && SUCCEEDED.fetch_add(1, Ordering::Relaxed) + 1 == WARN_AFTER
        && !metrics().has_other_endpoint(UNMATCHED)
    {
        tracing::warn!(
            target: TARGET,
            requests = WARN_AFTER,
            "no request has had a matched route, so all count as `unmatched`: the layer reads the routes of axum 0.8 \
             where it is added by `Router::layer`; for another router, name endpoints with `HttpLayer::endpoint`"
        );
    }
}
