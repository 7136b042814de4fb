//! Whose work this is across services, as W3C Trace Context writes it: <https://www.w3.org/TR/trace-context-1/>.

#[cfg(feature = "health")]
mod headers;
mod state;
mod traceparent;

use std::fmt;
use std::sync::Arc;

use traceparent::{HEADER, PARENT_ID, SAMPLED, TRACE_ID};

/// A place in a trace: the trace, a span in it, and whether it is sampled.
///
/// What arrives is the caller's span; what [`context::trace_context`](crate::context::trace_context) gives is the one that
/// a call made from here is to name as its parent.
///
/// ```
/// use monitor_runtime::TraceContext;
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
    /// Reads the header `traceparent`. `None` stands for a header to be ignored, as the recommendation has it: a version
    /// `ff`, upper-case digits, ids of zeros alone, a length or a delimiter that is wrong. Of a version to come, what
    /// version 00 knows is read.
    pub fn parse(traceparent: &str) -> Option<Self> {
        traceparent::parse(traceparent.as_bytes()).map(|header| Self { header, state: None })
    }

    /// Takes the header `tracestate` along, which vendors fill; several headers are joined by commas before. One that
    /// breaks a rule (its keys and values, no key twice, 32 members at most) is left out, and the rest stays good.
    #[must_use]
    pub fn with_state(self, tracestate: &str) -> Self {
        let state = state::is_valid(tracestate).then(|| tracestate.trim_matches([' ', '\t']).into());
        Self { state, ..self }
    }

    /// The header `traceparent` to send on, of version 00.
    pub fn traceparent(&self) -> &str {
        self.text(0..HEADER)
    }

    /// The header `tracestate` to send on, unless there is none.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The trace's id: 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.text(TRACE_ID)
    }

    /// The span's id: 16 lower-case hexadecimal digits.
    pub fn span_id(&self) -> &str {
        self.text(PARENT_ID)
    }

    /// Whether the trace is recorded upstream.
    pub fn is_sampled(&self) -> bool {
        self.header[SAMPLED] == b'1'
    }

    /// The first place in a trace that begins here.
    pub(crate) fn new(trace_id: [u8; 16], span_id: [u8; 8], is_sampled: bool) -> Self {
        let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
        traceparent::write_hex(&mut header[TRACE_ID], &trace_id);
        traceparent::write_hex(&mut header[PARENT_ID], &span_id);
        header[SAMPLED] = if is_sampled { b'1' } else { b'0' };
        Self { header, state: None }
    }

    /// The place of a span inside this one.
    pub(crate) fn child(&self, span_id: [u8; 8], is_sampled: bool) -> Self {
        let mut child = self.clone();
        traceparent::write_hex(&mut child.header[PARENT_ID], &span_id);
        child.header[SAMPLED] = if is_sampled { b'1' } else { b'0' };
        child
    }

    pub(crate) fn trace_id_bytes(&self) -> [u8; 16] {
        // Checked as digits when it was read.
        u128::from_str_radix(self.trace_id(), 16).unwrap_or_default().to_be_bytes()
    }

    pub(crate) fn span_id_bytes(&self) -> [u8; 8] {
        u64::from_str_radix(self.span_id(), 16).unwrap_or_default().to_be_bytes()
    }

    fn text(&self, range: std::ops::Range<usize>) -> &str {
        // Checked as ASCII when it was read, so there is always text.
        std::str::from_utf8(&self.header[range]).unwrap_or_default()
    }
}

/// The header `traceparent`.
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
