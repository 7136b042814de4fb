//! The promised figures, each with its bar.

use std::fmt;

use Bar::{AtLeast, AtMost};

/// A bar, and the side of it on which the figure has to stay.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    pub(crate) fn is_met_by(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bar) => figure >= bar,
            Self::AtMost(bar) => figure <= bar,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bar) => write!(f, "at least {bar}"),
            Self::AtMost(bar) => write!(f, "at most {bar}"),
        }
    }
}

/// Every figure, in the order in which they are printed.
pub(crate) const BARS: [(&str, Bar); 20] = [
    ("call_literal_over_limit", AtMost(1.5)),
    ("autometrics_over_call_literal", AtLeast(10.0)),
    ("prometheus_static_over_call_literal", AtLeast(3.5)),
    ("autometrics_over_call_literal_2threads", AtLeast(15.0)),
    ("call_literal_2threads_over_1", AtMost(1.25)),
    ("prometheus_vec_over_call_dynamic", AtLeast(3.0)),
    ("call_async_over_sync", AtMost(1.3)),
    ("instrument_autometrics_over_call_logged", AtLeast(4.0)),
    ("best_json_peer_over_line", AtLeast(5.0)),
    ("tracing_json_over_line", AtLeast(14.0)),
    ("line_over_limit", AtMost(5.0)),
    ("prometheus_encode_over_scrape", AtLeast(20.0)),
    ("scrape_over_limit", AtMost(2.0)),
    ("scrape_100k_over_linear", AtMost(1.3)),
    ("axum_prometheus_over_layer", AtLeast(5.0)),
    ("axum_prometheus_over_full_layer", AtLeast(2.0)),
    ("live_over_bare_route", AtLeast(0.95)),
    ("compile_over_fastrace_debug", AtMost(1.0)),
    ("compile_over_fastrace_release", AtMost(1.0)),
    ("bytes_per_series", AtMost(4_096.0)),
];
