//! Trace contexts in HTTP headers.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::TraceContext;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

impl TraceContext {
    /// Reads the headers `traceparent` and `tracestate`.
    ///
    /// Returns `None` if `traceparent` is missing, occurs twice, or is refused by [`parse`](Self::parse). Several
    /// headers `tracestate` are joined; an invalid one is ignored.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(&TRACEPARENT).iter();
        let only = given.next().filter(|_| given.next().is_none())?;
        let trace = Self::parse(only.to_str().ok()?)?;
        Some(match states(headers) {
            Some(states) => trace.with_state(&states),
            None => trace,
        })
    }

    /// Writes the headers `traceparent` and `tracestate`, and replaces existing ones.
    pub fn inject(&self, headers: &mut HeaderMap) {
        headers.remove(&TRACESTATE);
        // Both were checked as printable ASCII, which is valid in a header.
        if let Ok(traceparent) = HeaderValue::from_str(self.traceparent()) {
            headers.insert(&TRACEPARENT, traceparent);
        }
        if let Some(state) = self.tracestate().and_then(|state| HeaderValue::from_str(state).ok()) {
            headers.insert(&TRACESTATE, state);
        }
    }
}

/// Joins all headers `tracestate`, in their order.
fn states(headers: &HeaderMap) -> Option<String> {
    let states: Option<Vec<_>> =
        headers.get_all(&TRACESTATE).iter().map(|state| state.to_str().ok()).collect();
    states.filter(|states| !states.is_empty()).map(|states| states.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = given
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    #[test]
    fn a_header_is_written_as_it_was_read() {
        let came = headers(&[("traceparent", PARENT), ("tracestate", "a=1, b=2")]);
        let mut sent = headers(&[("traceparent", "old"), ("tracestate", "old=1"), ("tracestate", "old=2")]);
        TraceContext::from_headers(&came).unwrap().inject(&mut sent);
        assert_eq!(sent, came);
    }

    #[test]
    fn a_state_of_before_does_not_stay_beside_a_new_parent() {
        let came = headers(&[("traceparent", PARENT)]);
        let mut sent = headers(&[("tracestate", "old=1")]);
        TraceContext::from_headers(&came).unwrap().inject(&mut sent);
        assert_eq!(sent, came);
    }

    #[test]
    fn two_parents_are_none() {
        assert!(
            TraceContext::from_headers(&headers(&[("traceparent", PARENT), ("traceparent", PARENT)]))
                .is_none()
        );
        assert!(TraceContext::from_headers(&headers(&[])).is_none());
    }

    #[test]
    fn several_states_are_one_and_a_bad_one_costs_the_state_alone() {
        let read = |states: [&'static str; 2]| {
            let [first, second] = states.map(|state| ("tracestate", state));
            TraceContext::from_headers(&headers(&[("traceparent", PARENT), first, second])).unwrap()
        };
        assert_eq!(read(["a=1", "b=2"]).tracestate(), Some("a=1,b=2"));
        assert_eq!(read(["a=1", "a=2"]).tracestate(), None);
        assert_eq!(read(["a=1", "A=2"]).traceparent(), PARENT);
    }
}
