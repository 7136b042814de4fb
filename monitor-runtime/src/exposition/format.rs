//! The formats in which metrics are exposed.

/// The media type of the text format.
pub(crate) const TEXT_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The Prometheus text format, which every scraper reads.
    Text,
    /// OpenMetrics, which adds units and exemplars.
    OpenMetrics,
    /// Length-delimited protobuf messages, which add native histograms as well.
    Protobuf,
}

impl Format {
    /// All formats, the preferred one first: among formats that a scraper weights equally, the first is sent.
    pub(crate) const ALL: [Self; 3] = [Self::Text, Self::OpenMetrics, Self::Protobuf];

    /// The media type, with all of its parameters.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => TEXT_CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }
}
