//! The answers of a collector.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::signal::Signal;

/// The outcome of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Accepted, except for `rejected` items; `said` is the collector's message about them.
    Accepted { rejected: u64, said: String },
    /// Refused permanently; a retry would be refused as well.
    Refused { why: String },
    /// Not accepted now. The collector may set the time of the next try.
    Unavailable { why: String, retry_after: Option<Duration> },
}

/// The longest `Retry-After` that is respected.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(24 * 60 * 60);

/// The pause that `Retry-After` asks for, in seconds or as an HTTP date. A date is compared with the answer's own
/// `date`, so a wrong local clock does no harm. Returns `None` for a date in the past, and for other text.
pub(super) fn rest(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let text = retry_after.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = if is_number {
        // A number too large to parse exceeds the maximum anyway.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let now = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        let rest = until.duration_since(now.unwrap_or_else(SystemTime::now)).ok();
        rest.filter(|rest| !rest.is_zero())?
    };
    Some(rest.min(LONGEST_REST))
}

impl Answer {
    /// Classifies a status as OTLP does: 429, 502, 503 and 504 are retried, other errors are not. The protocol forbids
    /// a retry after 408, too.
    pub(super) fn of(signal: Signal, status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let why = || format!("it answered {status}");
        match status {
            200..=299 => Self::accepted(signal, body),
            429 | 502 | 503 | 504 => Self::Unavailable { why: why(), retry_after },
            _ => Self::Refused { why: why() },
        }
    }

    /// Reads the body of a positive answer.
    pub(super) fn accepted(signal: Signal, body: &[u8]) -> Self {
        let (rejected, said) = partial_success(signal, body);
        Self::Accepted { rejected: u64::try_from(rejected).unwrap_or_default(), said }
    }

    /// The index of the label's value in [`OTLP_OUTCOMES`](crate::families::process::OTLP_OUTCOMES).
    pub(super) const fn outcome(&self) -> usize {
        match self {
            Self::Accepted { .. } => 0,
            Self::Refused { .. } => 1,
            Self::Unavailable { .. } => 2,
        }
    }
}

/// The number of items rejected from an accepted request, and the reason. An unreadable body counts as none.
fn partial_success(signal: Signal, body: &[u8]) -> (i64, String) {
    match signal {
        Signal::Traces => {
            let partial = ExportTraceServiceResponse::decode(body).ok().and_then(|said| said.partial_success);
            partial.map(|partial| (partial.rejected_spans, partial.error_message))
        }
        Signal::Metrics => {
            let partial =
                ExportMetricsServiceResponse::decode(body).ok().and_then(|said| said.partial_success);
            partial.map(|partial| (partial.rejected_data_points, partial.error_message))
        }
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for status in [429, 502, 503, 504] {
            let answer = Answer::of(Signal::Traces, status, None, b"");
            assert!(matches!(answer, Answer::Unavailable { retry_after: None, .. }), "{status}");
        }
        for status in [301, 400, 401, 404, 408, 413, 500, 501] {
            assert!(
                matches!(Answer::of(Signal::Traces, status, None, b""), Answer::Refused { .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn a_collector_that_names_seconds_is_left_alone_for_so_long() {
        let after = |text: &str| rest(text, None);
        assert_eq!(after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(after("-1"), None);
        for huge in ["86401", "18446744073709551616", "9".repeat(200).as_str()] {
            assert_eq!(after(huge), Some(LONGEST_REST), "{huge}");
        }
        for garbage in
            ["", " ", "soon", "1.5", "+7", "7s", "0x7", "Wed, 99 Oct 2026 07:28:00 GMT", "2026-10-21"]
        {
            assert_eq!(after(garbage), None, "{garbage}");
        }
        let answer = Answer::of(Signal::Metrics, 503, after("7"), b"");
        assert!(matches!(answer, Answer::Unavailable { retry_after: Some(rest), .. } if rest.as_secs() == 7));
    }

    #[test]
    fn a_date_counts_from_the_answers_own_or_from_now() {
        let date = "Wed, 21 Oct 2026 07:28:00 GMT";
        let after = |text, date| rest(text, Some(date)).map(|rest| rest.as_secs());
        assert_eq!(after("Wed, 21 Oct 2026 07:28:04 GMT", date), Some(4));
        assert_eq!(after("Wednesday, 21-Oct-26 07:28:04 GMT", date), Some(4), "the form of RFC 850");
        assert_eq!(after("Wed Oct 21 07:28:04 2026", date), Some(4), "the form of asctime");
        assert_eq!(after(date, date), None, "the present moment");
        assert_eq!(after("Wed, 21 Oct 2026 07:27:00 GMT", date), None, "a date in the past");
        assert_eq!(after("Fri, 31 Dec 9999 23:59:59 GMT", date), Some(LONGEST_REST.as_secs()));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(10 * 60));
        for no_date in [None, Some("not a date")] {
            let rest = rest(&soon, no_date).unwrap().as_secs();
            assert!((300..=600).contains(&rest), "{rest}");
        }
    }

    #[test]
    fn a_partial_success_is_recognised() {
        let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "too old".into() };
        let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        let taken = |rejected, said: &str| Answer::Accepted { rejected, said: said.to_owned() };
        assert_eq!(Answer::of(Signal::Traces, 200, None, &body), taken(3, "too old"));
        assert_eq!(Answer::of(Signal::Traces, 202, None, b""), taken(0, ""));
        assert_eq!(Answer::of(Signal::Traces, 200, None, b"\xff\xff"), taken(0, ""));
    }
}
