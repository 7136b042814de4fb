//! The closed sets among the settings of an export.

/// The protocol of an export; `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpProtocol {
    /// Protobuf messages over HTTP/1.1, the default.
    #[default]
    HttpProtobuf,
    /// gRPC over HTTP/2. It needs the feature `otlp-grpc`.
    Grpc,
}

/// The temporality of metrics: the start of the numbers of a push; `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpTemporality {
    /// Counters and histograms count from the start of the process, the default.
    #[default]
    Cumulative,
    /// Counters and histograms count from the last push that was accepted.
    Delta,
    /// The metrics of this crate are delta. Those of the application's own collectors are cumulative, since they are
    /// read and not recorded.
    LowMemory,
}

/// The form of exported durations; `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtlpHistograms {
    /// Histograms with explicit bounds, even if the process keeps native histograms.
    Explicit,
    /// Exponential histograms. The process keeps [native histograms](crate::metrics::NativeHistograms) from the start
    /// of the export on.
    Exponential,
}
