//! What a client may put into a header: taken exactly when the rules say so, and then as it was sent.

use monitor_runtime::context::TraceContext;
use monitor_runtime::fuzzing;

/// Reads the input as a request's id, as `traceparent`, and as `tracestate`.
///
/// # Panics
///
/// If a header is taken that breaks a rule, or the other way round.
pub fn headers(input: &[u8]) {
    let taken = fuzzing::request_id(input);
    assert_eq!(taken.as_deref(), is_request_id(input).then_some(input));
    let Ok(text) = std::str::from_utf8(input) else { return };
    let trace = TraceContext::parse(text);
    assert_eq!(trace.is_some(), is_traceparent(text), "{text:?}");
    if let Some(trace) = trace {
        check_trace(&trace, text);
    }
    check_state(text);
}

fn is_request_id(id: &[u8]) -> bool {
    let is_outer = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let is_printable = id.iter().all(|&byte| byte == b' ' || byte.is_ascii_graphic());
    is_printable && id.len() <= 128 && is_outer(id.first()) && is_outer(id.last())
}

/// The rules of <https://www.w3.org/TR/trace-context-1/#traceparent-header>, part by part.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [version, trace, parent, flags, more @ ..] = &*parts else { return false };
    let is_hex = |part: &str, digits| {
        part.len() == digits && part.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
    };
    let is_id = |part: &str, digits| is_hex(part, digits) && part.chars().any(|c| c != '0');
    is_hex(version, 2)
        && *version != "ff"
        && is_id(trace, 32)
        && is_id(parent, 16)
        && is_hex(flags, 2)
        && (more.is_empty() || *version != "00")
}

fn check_trace(trace: &TraceContext, text: &str) {
    let parts: Vec<_> = text.split('-').collect();
    assert_eq!((trace.trace_id(), trace.span_id()), (parts[1], parts[2]));
    let flags = u8::from_str_radix(parts[3], 16).expect("checked before");
    assert_eq!(trace.is_sampled(), flags % 2 == 1);
    let again = TraceContext::parse(trace.traceparent()).expect("what is sent on can be read");
    assert_eq!(again.traceparent(), trace.traceparent());
}

/// What is sent on stands in what came, and would be taken again.
fn check_state(text: &str) {
    let trace = || {
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        TraceContext::parse(traceparent).expect("the recommendation's own example")
    };
    let taken = trace().with_state(text);
    if let Some(state) = taken.tracestate() {
        assert_eq!(state, text.trim_matches([' ', '\t']));
        assert!(state.is_ascii() && !state.contains(char::is_control) || state.contains('\t'), "{state:?}");
        assert!(state.split(',').filter(|member| !member.trim().is_empty()).count() <= 32, "{state:?}");
        assert_eq!(trace().with_state(state).tracestate(), Some(state));
    }
}
