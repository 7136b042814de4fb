//! The answers of the endpoints, independent of the server.

use crate::exposition::format::Format;
use crate::exposition::negotiate;
use crate::exposition::scrape_registry::ScrapeRegistry;
use crate::health::{Health, View};
use crate::json;
use crate::timestamp::Timestamps;
use ::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use ::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;

/// 200: the process is alive.
pub(crate) fn alive() -> Response<Bytes> {
    json(StatusCode::OK, Bytes::from_static(br#"{"status":"alive"}"#))
}

/// 503: the process is alive, but the application's runtime is stalled.
#[cfg(feature = "http")]
pub(crate) fn stalled() -> Response<Bytes> {
    json(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(br#"{"status":"stalled"}"#))
}

/// 200 if every critical check in question is healthy and the process is not draining, otherwise 503. A client without
/// the token sees no checks.
pub(crate) fn readiness(health: &Health<'_>, query: &ReadinessQuery, admitted: bool) -> Response<Bytes> {
    let asked = health.checks.iter().filter(|check| !query.exclude.contains(check.name));
    let ready = asked.clone().all(View::allows_ready);
    let (code, word) = match (health.draining, ready) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, true) => (StatusCode::OK, "ready"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    if query.verbose {
        let said = if admitted { verbose_checks(health, query) } else { String::new() };
        return lines(code, said + verbose_verdict(code == StatusCode::OK));
    }
    if !admitted {
        return json(code, status_only(word));
    }
    let warning = warning(health, query);
    json(code, report(word, warning.as_deref(), asked))
}

/// 200 if this check is healthy, critical or not, otherwise 503. An unknown name gets 404 with the known names.
pub(crate) fn one_check(checks: &[View<'_>], name: &str, admitted: bool) -> Response<Bytes> {
    let Some(check) = checks.iter().find(|check| check.name == name) else {
        return json(StatusCode::NOT_FOUND, unknown(checks, name, admitted));
    };
    let healthy = check.status.is_healthy();
    let (code, word) =
        if healthy { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    json(code, if admitted { report(word, None, std::iter::once(check)) } else { status_only(word) })
}

/// 200 once every critical check has passed; until then 503 with the checks.
pub(crate) fn startup(started: bool, checks: &[View<'_>], admitted: bool) -> Response<Bytes> {
    match (started, admitted) {
        (true, _) => json(StatusCode::OK, status_only("started")),
        (false, true) => json(StatusCode::SERVICE_UNAVAILABLE, report("starting", None, checks.iter())),
        (false, false) => json(StatusCode::SERVICE_UNAVAILABLE, status_only("starting")),
    }
}

/// 200 with the metrics in the text format.
pub(crate) fn text(exposed: &ScrapeRegistry) -> Response<Bytes> {
    exposition(Format::Text, exposed.scrape(Format::Text))
}

/// 200 with the metrics in the format that the request's headers ask for.
pub(crate) fn negotiated(exposed: &ScrapeRegistry, asked: &HeaderMap) -> Response<Bytes> {
    let format = negotiate::format(asked);
    let mut response = if negotiate::takes_gzip(asked) {
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

/// 401: the token is missing or wrong.
pub(crate) fn unauthorized() -> Response<Bytes> {
    let body =
        Bytes::from_static(br#"{"error":"the metrics need the header `authorization: Bearer <token>`"}"#);
    with(json(StatusCode::UNAUTHORIZED, body), WWW_AUTHENTICATE, "Bearer")
}

/// 405: the method is neither `GET` nor `HEAD`.
pub(crate) fn method_not_allowed() -> Response<Bytes> {
    let body = Bytes::from_static(br#"{"error":"expected GET or HEAD"}"#);
    with(json(StatusCode::METHOD_NOT_ALLOWED, body), ALLOW, "GET,HEAD")
}

/// 404: the path is not a route of the admin listener.
#[cfg(feature = "http")]
pub(crate) fn no_such_route() -> Response<Bytes> {
    let body = br#"{"error":"no such route","routes":["/health/live","/health/ready","/health/ready/<name>","/health/startup","/health/metrics"]}"#;
    json(StatusCode::NOT_FOUND, Bytes::from_static(body))
}

/// 500: a bug in this crate made the scrape panic.
#[cfg(feature = "http")]
pub(crate) fn scrape_panicked() -> Response<Bytes> {
    json(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(br#"{"error":"the scrape panicked"}"#))
}

/// 503: the runtime is shutting down and runs no more scrapes.
#[cfg(feature = "http")]
pub(crate) fn runtime_ends() -> Response<Bytes> {
    json(StatusCode::SERVICE_UNAVAILABLE, Bytes::from_static(br#"{"error":"the runtime shuts down"}"#))
}

pub(in crate::monitor) fn json(code: StatusCode, body: Bytes) -> Response<Bytes> {
    answer(code, HeaderValue::from_static("application/json"), body)
}

pub(in crate::monitor) fn lines(code: StatusCode, body: String) -> Response<Bytes> {
    let plain = answer(code, HeaderValue::from_static("text/plain; charset=utf-8"), body.into());
    with(plain, X_CONTENT_TYPE_OPTIONS, "nosniff")
}

fn answer(code: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    with(response, CACHE_CONTROL, "no-store")
}

fn with(mut response: Response<Bytes>, name: HeaderName, value: &'static str) -> Response<Bytes> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

/// The lines of a verbose answer before its verdict, in the format of the Kubernetes API server:
/// <https://kubernetes.io/docs/reference/using-api/health-checks/>.
fn verbose_checks(health: &Health<'_>, query: &ReadinessQuery) -> String {
    let mut out = String::new();
    for check in &health.checks {
        let name = check.name;
        let said = if query.exclude.contains(name) {
            ["[+]", name, " excluded: ok\n"]
        } else if check.status.is_healthy() {
            ["[+]", name, " ok\n"]
        } else if check.allows_ready() {
            ["[+]", name, " not critical: ok\n"]
        } else {
            ["[-]", name, " failed: reason withheld\n"]
        };
        out.extend(said);
    }
    if health.draining {
        out.push_str("[-]shutdown failed: reason withheld\n");
    }
    if let Some(warning) = warning(health, query) {
        out.extend(["warn: ", &warning, "\n"]);
    }
    out
}

/// A warning about names in `exclude` that no check has.
fn warning(health: &Health<'_>, query: &ReadinessQuery) -> Option<String> {
    let unmatched = query.unmatched(health.checks.iter().map(|check| check.name))?;
    Some(format!("some health checks cannot be excluded: no matches for {unmatched}"))
}

/// The last line of a verbose answer.
fn verbose_verdict(passed: bool) -> &'static str {
    if passed { "ready check passed\n" } else { "ready check failed\n" }
}

fn status_only(status: &str) -> Bytes {
    let mut out = b"{\"status\":".to_vec();
    json::write_str(&mut out, status);
    out.push(b'}');
    out.into()
}

fn unknown(checks: &[View<'_>], name: &str, admitted: bool) -> Bytes {
    let mut out = b"{\"error\":".to_vec();
    json::write_str(&mut out, &format!("no check is named {name:?}"));
    if admitted {
        out.extend_from_slice(b",\"checks\":[");
        separated(&mut out, checks.iter(), |out, check| json::write_str(out, check.name));
        out.push(b']');
    }
    out.push(b'}');
    out.into()
}

fn report<'v>(status: &str, warning: Option<&str>, checks: impl Iterator<Item = &'v View<'v>>) -> Bytes {
    let mut out = Vec::with_capacity(1_024);
    out.extend_from_slice(b"{\"status\":");
    json::write_str(&mut out, status);
    out.extend_from_slice(b",\"timestamp\":\"");
    Timestamps::default().write_now(&mut out);
    out.push(b'"');
    if let Some(warning) = warning {
        out.extend_from_slice(b",\"warning\":");
        json::write_str(&mut out, warning);
    }
    out.extend_from_slice(b",\"checks\":{");
    separated(&mut out, checks, write_check);
    out.extend_from_slice(b"}}");
    out.into()
}

fn separated<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
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

/// Writes milliseconds with a resolution of a microsecond.
fn write_millis(out: &mut Vec<u8>, duration: Option<Duration>) {
    match duration {
        Some(duration) => json::write_f64(out, duration.as_micros() as f64 / 1_000.0),
        None => out.extend_from_slice(b"null"),
    }
}

/// The query of a readiness probe.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadinessQuery {
    /// Set by `verbose` with any value: answer in text, with one line for each check.
    pub(crate) verbose: bool,
    /// The values of all `exclude`: names of checks to ignore.
    pub(crate) exclude: BTreeSet<String>,
}

impl ReadinessQuery {
    pub(crate) fn of(text: Option<&str>) -> Self {
        let mut query = Self::default();
        for (key, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            match &*key {
                "verbose" => query.verbose = true,
                "exclude" => drop(query.exclude.insert(value.into_owned())),
                _ => {}
            }
        }
        query
    }

    /// The excluded names that no check has, quoted and sorted.
    pub(crate) fn unmatched<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<String> {
        let names: BTreeSet<_> = names.collect();
        let unknown = self.exclude.iter().filter(|name| !names.contains(name.as_str()));
        let quoted: Vec<_> = unknown.map(|name| format!("{name:?}")).collect();
        (!quoted.is_empty()).then(|| quoted.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Severity, Status};

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
        let health = Health { draining: false, checks: checks.into() };
        let response = readiness(&health, &ReadinessQuery::default(), true);
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
        let health = Health { draining: true, checks: Vec::new() };
        let response = readiness(&health, &ReadinessQuery::default(), true);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.body().starts_with(br#"{"status":"draining","timestamp":"#));
    }

    #[test]
    fn a_name_that_no_check_has_is_told_without_breaking_the_body() {
        let body = unknown(&[], "a\"\n", true);
        assert_eq!(body, &br#"{"error":"no check is named \"a\\\"\\n\"","checks":[]}"#[..]);
    }

    #[test]
    fn a_query_may_repeat_exclude_and_give_verbose_any_value() {
        let query = ReadinessQuery::of(Some("exclude=a&verbose=false&x=1&exclude=b%2Dc&exclude=a"));
        assert!(query.verbose);
        assert_eq!(query.exclude.iter().collect::<Vec<_>>(), ["a", "b-c"]);
        assert_eq!(query.unmatched(["a"].into_iter()).as_deref(), Some("\"b-c\""));
        assert_eq!(ReadinessQuery::of(None), ReadinessQuery::default());
    }
}
