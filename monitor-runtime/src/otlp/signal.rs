//! What is exported.

use crate::families::process::OTLP_SIGNALS;

/// One of OpenTelemetry's signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// The value of the label `signal`, and the last part of the URL.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => OTLP_SIGNALS[0],
            Self::Metrics => OTLP_SIGNALS[1],
        }
    }

    pub(super) const fn in_variables(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }

    /// The name of the thread that exports it.
    pub(super) const fn thread(self) -> &'static str {
        match self {
            Self::Traces => "monitor-traces",
            Self::Metrics => "monitor-metrics",
        }
    }
}
