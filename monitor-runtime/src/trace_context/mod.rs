//! The context of a trace across services, by W3C Trace Context: <https://www.w3.org/TR/trace-context-1/>.

#[cfg(feature = "health")]
mod headers;
mod state;
mod traceparent;

use std::fmt;
use std::sync::Arc;

use traceparent::{HEADER, PARENT_ID, SAMPLED, TRACE_ID};

/// A trace context: the trace's id, the id of a span in it, and whether it is sampled.
///
/// An incoming one names the caller's span. The one of [`context::trace_context`](crate::context::trace_context) names
/// the span that an outgoing call should send as its parent.
///
/// ```
/// use monitor_runtime::context::TraceContext;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let trace = TraceContext::parse(header).expect("it keeps every rule");
/// assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert_eq!(trace.span_id(), "00f067aa0ba902b7");
/// assert!(trace.is_sampled());
/// assert_eq!(trace.to_string(), header);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The header `traceparent` of version 00, which is printable ASCII.
    header: [u8; HEADER],
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// Parses the header `traceparent`.
    ///
    /// Returns `None` for a header that the recommendation says to ignore: a version `ff`, upper-case digits, an id of
    /// only zeros, or a wrong length or delimiter. From a later version it reads the part that version 00 defines.
    pub fn parse(traceparent: &str) -> Option<Self> {
        traceparent::parse(traceparent.as_bytes()).map(|header| Self { header, state: None })
    }

    /// Adds the header `tracestate`, which vendors fill. Join several headers by commas first.
    ///
    /// A header that breaks a rule (the form of keys and values, no key twice, at most 32 members) is ignored as a
    /// whole; the trace context itself stays valid.
    #[must_use]
    pub fn with_state(self, tracestate: &str) -> Self {
        let state = state::is_valid(tracestate).then(|| tracestate.trim_matches([' ', '\t']).into());
        Self { state, ..self }
    }

    /// Returns the header `traceparent` to send, in version 00.
    pub fn traceparent(&self) -> &str {
        self.text(0..HEADER)
    }

    /// Returns the header `tracestate` to send, if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Returns the trace's id: 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.text(TRACE_ID)
    }

    /// Returns the span's id: 16 lower-case hexadecimal digits.
    pub fn span_id(&self) -> &str {
        self.text(PARENT_ID)
    }

    /// Returns whether the caller records the trace.
    pub fn is_sampled(&self) -> bool {
        self.header[SAMPLED] == b'1'
    }

    /// The context of the root span of a new trace.
    pub(crate) fn new(trace_id: [u8; 16], span_id: [u8; 8], is_sampled: bool) -> Self {
        let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
        traceparent::write_hex(&mut header[TRACE_ID], &trace_id);
        traceparent::write_hex(&mut header[PARENT_ID], &span_id);
        header[SAMPLED] = if is_sampled { b'1' } else { b'0' };
        Self { header, state: None }
    }

    /// The context of a child span of this one.
    pub(crate) fn child(&self, span_id: [u8; 8], is_sampled: bool) -> Self {
        let mut child = self.clone();
        traceparent::write_hex(&mut child.header[PARENT_ID], &span_id);
        child.header[SAMPLED] = if is_sampled { b'1' } else { b'0' };
        child
    }

    pub(crate) fn trace_id_bytes(&self) -> [u8; 16] {
        // `parse` has checked the digits.
        u128::from_str_radix(self.trace_id(), 16).unwrap_or_default().to_be_bytes()
    }

    pub(crate) fn span_id_bytes(&self) -> [u8; 8] {
        u64::from_str_radix(self.span_id(), 16).unwrap_or_default().to_be_bytes()
    }

    fn text(&self, range: std::ops::Range<usize>) -> &str {
        // `parse` has checked that the header is ASCII, so this never fails.
        std::str::from_utf8(&self.header[range]).unwrap_or_default()
    }
}

/// Writes the header `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.traceparent())
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TraceContext");
        shown.field("traceparent", &self.traceparent()).field("tracestate", &self.tracestate()).finish()
    }
}
