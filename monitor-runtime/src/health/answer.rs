//! The probes' answers, whatever server sends them.

use std::time::Duration;

use ::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, VARY};
use ::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;

use super::accept;
use super::state::View;
use crate::json;
use crate::registry::{Exposed, Format};
use crate::timestamp::Timestamps;

/// 200: the process answers.
pub(crate) fn alive() -> Response<Bytes> {
    json(StatusCode::OK, Bytes::from_static(br#"{"status":"alive"}"#))
}

/// 200 when every critical check is healthy and nothing is being drained, else 503; the checks either way.
pub(crate) fn readiness(draining: bool, checks: &[View<'_>]) -> Response<Bytes> {
    let ready = checks.iter().all(View::allows_ready);
    let (code, word) = match (draining, ready) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, true) => (StatusCode::OK, "ready"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    json(code, report(word, checks))
}

/// 200 once every critical check has passed, before that 503 with the checks.
pub(crate) fn startup(started: bool, checks: &[View<'_>]) -> Response<Bytes> {
    if started {
        return json(StatusCode::OK, Bytes::from_static(br#"{"status":"started"}"#));
    }
    json(StatusCode::SERVICE_UNAVAILABLE, report("starting", checks))
}

/// 200 with the metrics' text.
pub(crate) fn text(exposed: &Exposed) -> Response<Bytes> {
    exposition(Format::Text, exposed.scrape(Format::Text))
}

/// 200 with the metrics in the form that the request's headers ask for.
pub(crate) fn negotiated(exposed: &Exposed, asked: &HeaderMap) -> Response<Bytes> {
    let format = accept::format(asked);
    let mut response = if accept::takes_gzip(asked) {
        let mut response = exposition(format, exposed.scrape_compressed(format));
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        exposition(format, exposed.scrape(format))
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
    response
}

fn exposition(format: Format, body: Bytes) -> Response<Bytes> {
    answer(StatusCode::OK, HeaderValue::from_static(format.content_type()), body)
}

fn json(code: StatusCode, body: Bytes) -> Response<Bytes> {
    answer(code, HeaderValue::from_static("application/json"), body)
}

fn answer(code: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn report(status: &str, checks: &[View<'_>]) -> Bytes {
    let mut out = Vec::with_capacity(96 + 160 * checks.len());
    out.extend_from_slice(b"{\"status\":");
    json::write_str(&mut out, status);
    out.extend_from_slice(b",\"timestamp\":");
    out.push(b'"');
    Timestamps::default().write_now(&mut out);
    out.push(b'"');
    out.extend_from_slice(b",\"checks\":{");
    for (at, check) in checks.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_check(&mut out, check);
    }
    out.extend_from_slice(b"}}");
    out.into()
}

fn write_check(out: &mut Vec<u8>, check: &View<'_>) {
    json::write_str(out, check.name);
    out.extend_from_slice(b":{\"healthy\":");
    out.extend_from_slice(if check.status.is_healthy() { b"true" } else { b"false" });
    out.extend_from_slice(b",\"message\":");
    json::write_str(out, &check.message);
    out.extend_from_slice(b",\"latency_ms\":");
    write_millis(out, check.latency);
    out.extend_from_slice(b",\"status\":");
    json::write_str(out, check.status.as_str());
    out.extend_from_slice(b",\"severity\":");
    json::write_str(out, check.severity.as_str());
    out.extend_from_slice(b",\"age_ms\":");
    write_millis(out, check.age);
    out.push(b'}');
}

/// Milliseconds, to the microsecond.
fn write_millis(out: &mut Vec<u8>, duration: Option<Duration>) {
    match duration {
        Some(duration) => json::write_f64(out, duration.as_micros() as f64 / 1_000.0),
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Severity;
    use super::super::state::Status;
    use super::*;

    #[test]
    fn a_report_is_json_whatever_a_message_holds() {
        let view = |name, status, message: &'static str, latency| View {
            name,
            status,
            severity: Severity::Critical,
            message: message.into(),
            latency: Some(Duration::from_micros(latency)),
            age: Some(Duration::from_millis(7)),
        };
        let checks = [
            view("cache", Status::Healthy, "say \"hi\"\n", 1_200),
            view("disk", Status::Unhealthy, "full", 5_000_000),
        ];
        let response = readiness(false, &checks);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = std::str::from_utf8(response.body()).expect("UTF-8");
        let (head, tail) = body.split_once(",\"checks\":").expect("checks");
        assert!(head.starts_with("{\"status\":\"not_ready\",\"timestamp\":\"20"), "{head}");
        assert_eq!(
            tail,
            "{\"cache\":{\"healthy\":true,\"message\":\"say \\\"hi\\\"\\n\",\"latency_ms\":1.2,\
             \"status\":\"healthy\",\"severity\":\"critical\",\"age_ms\":7.0},\
             \"disk\":{\"healthy\":false,\"message\":\"full\",\"latency_ms\":5000.0,\
             \"status\":\"unhealthy\",\"severity\":\"critical\",\"age_ms\":7.0}}}"
        );
    }

    #[test]
    fn a_service_that_drains_says_so_whatever_its_checks_say() {
        let response = readiness(true, &[]);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.body().starts_with(br#"{"status":"draining","timestamp":"#));
    }
}
