//! What became of one request to the collector.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::signal::Signal;

/// An answer, or its absence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Taken, but for so many items, with what the collector said of them.
    Accepted { rejected: u64, said: String },
    /// Refused for good: sent again it would be refused again.
    Refused { why: String },
    /// Not taken now; the collector may say when to come back.
    Unavailable { why: String, retry_after: Option<Duration> },
}

/// The longest that a collector may ask to be left alone, in seconds: a day.
const LONGEST_REST: u64 = 24 * 3_600;

/// The values of the label `outcome`, as [`Answer::outcome`] gives them.
pub(crate) const OUTCOMES: [&str; 3] = ["success", "rejected", "unavailable"];

impl Answer {
    /// Judges a status as the protocol has it: of all errors, 429, 502, 503 and 504 are worth another try.
    pub(super) fn of(signal: Signal, status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let why = || format!("it answered {status}");
        match status {
            200..=299 => {
                let (rejected, said) = partial_success(signal, body);
                Self::Accepted { rejected: u64::try_from(rejected).unwrap_or_default(), said }
            }
            429 | 502 | 503 | 504 => {
                let seconds = retry_after.and_then(|text| text.trim().parse::<u64>().ok());
                let rest = seconds.map(|seconds| Duration::from_secs(seconds.min(LONGEST_REST)));
                Self::Unavailable { why: why(), retry_after: rest }
            }
            _ => Self::Refused { why: why() },
        }
    }

    /// The place of the label's value in [`OUTCOMES`].
    pub(super) const fn outcome(&self) -> usize {
        match self {
            Self::Accepted { .. } => 0,
            Self::Refused { .. } => 1,
            Self::Unavailable { .. } => 2,
        }
    }
}

/// How many items of a request that was taken were not, and why. A body that cannot be read says nothing.
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
        for status in [301, 400, 401, 404, 413, 500, 501] {
            assert!(
                matches!(Answer::of(Signal::Traces, status, None, b""), Answer::Refused { .. }),
                "{status}"
            );
        }
    }

    #[test]
    fn a_collector_that_names_seconds_is_left_alone_for_so_long() {
        let after = |text| match Answer::of(Signal::Metrics, 503, Some(text), b"") {
            Answer::Unavailable { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(after("-1"), None);
    }

    #[test]
    fn what_a_collector_takes_in_part_is_told_apart() {
        let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "too old".into() };
        let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        let taken = |rejected, said: &str| Answer::Accepted { rejected, said: said.to_owned() };
        assert_eq!(Answer::of(Signal::Traces, 200, None, &body), taken(3, "too old"));
        assert_eq!(Answer::of(Signal::Traces, 202, None, b""), taken(0, ""));
        assert_eq!(Answer::of(Signal::Traces, 200, None, b"\xff\xff"), taken(0, ""));
    }
}
