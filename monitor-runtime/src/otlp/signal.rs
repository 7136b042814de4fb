//! The exported signals.

use crate::families::process::OTLP_SIGNALS;

/// A signal of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// The value of the label `signal`, and the last segment of the URL.
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

    /// The name of the exporting thread.
    pub(super) const fn thread(self) -> &'static str {
        match self {
            Self::Traces => "monitor-traces",
            Self::Metrics => "monitor-metrics",
        }
    }
}
