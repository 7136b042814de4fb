//! A request that reached the layer before any router matched it: the router further in says which route it took.
//!
//! Until then it is in flight under `unmatched`, and then moves to its own series; so every reading of the gauges has it once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::Extensions;
use tracing::Span;

use super::endpoint::Place;
use crate::call::observer;
use crate::families::method::MethodLabel;
use crate::families::requests::{Route, metrics};

/// After as many answers without any matched route the log says so.
const WARN_AFTER: u32 = 100;

/// Left in the request's extensions for layers further in and for the monitor's own routes.
#[derive(Clone, Debug)]
pub(crate) struct Unmatched(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    method: MethodLabel,
    span: Option<Span>,
    /// What a layer further out left, which counts the request as well.
    around: Option<Unmatched>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Unmatched(Route),
    Matched(Route),
    /// Not counted.
    Probe,
    /// Recorded: what is said now comes too late.
    Over,
}

/// Where a request is to be recorded in the end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recorded {
    Unmatched(Route),
    Matched(Route),
    Nowhere,
}

impl Unmatched {
    /// Of a request that is in flight at `route`.
    pub(super) fn new(method: MethodLabel, route: Route, span: Option<Span>, around: Option<Self>) -> Self {
        Self(Arc::new(Inner { method, span, around, state: Mutex::new(State::Unmatched(route)) }))
    }

    pub(super) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    /// Says where the request goes, if that is known now; the first to know is right.
    #[cold]
    pub(super) fn tell(&self, place: Place<'_>) {
        if let Some(around) = &self.0.around {
            around.tell(place);
        }
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Unmatched(route) = *state {
            match place {
                Place::Probe => {
                    route.forget();
                    *state = State::Probe;
                }
                Place::Route(endpoint) => {
                    *state = State::Matched(metrics().reroute(route, self.0.method, endpoint));
                    drop(state);
                    self.name_span(endpoint);
                }
                Place::Unmatched => {}
            }
        }
    }

    fn name_span(&self, endpoint: &str) {
        if let Some(span) = &self.0.span {
            span.record("endpoint", endpoint);
            let method = self.0.method.as_str();
            observer::notify(|observer| observer.request_routed(span, method, endpoint));
        }
    }

    pub(super) fn is_probe(&self) -> bool {
        matches!(*self.0.state.lock().unwrap_or_else(PoisonError::into_inner), State::Probe)
    }

    /// Closes the matter.
    pub(super) fn end(&self) -> Recorded {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Over) {
            State::Unmatched(route) => Recorded::Unmatched(route),
            State::Matched(route) => Recorded::Matched(route),
            State::Probe | State::Over => Recorded::Nowhere,
        }
    }
}

/// Has a request to one of the monitor's own routes left out of the metrics, however the route was mounted.
pub(crate) fn leave_out(extensions: &Extensions) {
    if let Some(unmatched) = Unmatched::of(extensions) {
        unmatched.tell(Place::Probe);
    }
}

/// Notes that a request was answered well and had no route: a service of which that is true of all has a router that the layer
/// cannot read.
pub(super) fn note_answered() {
    static ANSWERED: AtomicU32 = AtomicU32::new(0);
    if ANSWERED.load(Ordering::Relaxed) < WARN_AFTER
        && ANSWERED.fetch_add(1, Ordering::Relaxed) + 1 == WARN_AFTER
        && !metrics().has_other_endpoint(super::endpoint::UNMATCHED)
    {
        tracing::warn!(
            target: super::span::TARGET,
            requests = WARN_AFTER,
            "no request has had a matched route, so all count as `unmatched`: the layer reads the routes of axum 0.8 \
             where it is added by `Router::layer`; for another router, name endpoints with `HttpLayer::endpoint`"
        );
    }
}
