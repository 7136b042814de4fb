//! Pushes traces and metrics to an OpenTelemetry collector or a vendor, by OTLP over HTTP or gRPC.
//!
//! ```no_run
//! use monitor_runtime::logging::Logging;
//! use monitor_runtime::otlp::Otlp;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let otlp = Otlp::builder().service("notes", "1.4.2").start()?;
//! let _logs = Logging::builder().traces(&otlp).init()?;
//! # Ok(())
//! # }
//! ```
//!
//! * Every tracked call, every request and every other span of the level `info` or more severe becomes an OpenTelemetry
//!   span, named by the semantic conventions 1.41.0, or those for generative AI 0.1.0. Log lines inside it carry its
//!   `trace_id` and `span_id`.
//! * Every metric of the registry is pushed as `/health/metrics` shows it, under the same names and labels; cumulative,
//!   or delta. Calls of models, agents and skills are pushed under the names of the conventions for generative AI too.
//! * Each signal is sent by its own thread. Application threads never wait for it: spans go into a bounded queue, and
//!   are dropped if it is full. `otlp_dropped_total` counts dropped items and items that do not reach the collector.
//!   `otlp_exports_total` counts requests.
//!
//! A batch is retried if the collector is temporarily unavailable (no answer; 429, 502, 503, 504; over gRPC the statuses
//! that the protocol lists): after the time in `Retry-After` or `RetryInfo`, else with exponential backoff that doubles
//! from one second, with jitter.
//!
//! TLS needs the feature `otlp-tls`, gRPC the feature `otlp-grpc`. `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
//! `NO_PROXY` are read, and a loopback address never has a proxy.
//!
//! # Variables
//!
//! A variable overrides the code. An empty variable counts as unset. An invalid value is an error of [`OtlpBuilder::start`].
//!
//! | variable | default | meaning |
//! | --- | --- | --- |
//! | `OTEL_SDK_DISABLED` | `false` | `true` exports nothing |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER` | `otlp` | `none` turns the signal off |
//! | `OTEL_SERVICE_NAME` | the name set in code | the resource's `service.name` |
//! | `OTEL_RESOURCE_ATTRIBUTES` | none | further attributes of the resource, `key=value`, separated by commas |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` | `http/protobuf`, or `grpc` with the feature `otlp-grpc` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | `http://localhost:4318` | the collector; over HTTP, `v1/traces` and `v1/metrics` are below it; `http://localhost:4317` for `grpc` |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | none | headers of every request, `key=value`, separated by commas |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | 10000 | timeout of one request in milliseconds |
//! | `OTEL_EXPORTER_OTLP_COMPRESSION` | `none` | `none` or `gzip` |
//! | `OTEL_EXPORTER_OTLP_INSECURE` | `false` | `true` reaches an endpoint of `grpc` without a scheme without TLS |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE` | the system's | PEM file with the certificates to trust |
//! | `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` | none | PEM file with the client's own certificate and the chain behind it |
//! | `OTEL_EXPORTER_OTLP_CLIENT_KEY` | none | PEM file with the key of the client's own certificate |
//! | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `cumulative` | `cumulative`, `delta` or `lowmemory` |
//! | `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` | as the process keeps them | `explicit_bucket_histogram` or `base2_exponential_bucket_histogram` |
//! | `OTEL_TRACES_SAMPLER` | `parentbased_always_on` | `always_on`, `always_off`, `traceidratio`, and each with the prefix `parentbased_` |
//! | `OTEL_TRACES_SAMPLER_ARG` | 1 | the share of traces recorded, from 0 to 1 |
//! | `OTEL_BSP_SCHEDULE_DELAY` | 5000 | maximum delay in milliseconds before a span is sent |
//! | `OTEL_BSP_MAX_QUEUE_SIZE` | 2048 | maximum number of spans in the queue |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | 512 | maximum number of spans in one request |
//! | `OTEL_BSP_EXPORT_TIMEOUT` | 30000 | milliseconds after which a batch of spans is dropped |
//! | `OTEL_METRIC_EXPORT_INTERVAL` | 60000 | milliseconds between two pushes of the metrics |
//! | `OTEL_METRIC_EXPORT_TIMEOUT` | 30000 | milliseconds after which a push of the metrics is given up |
//!
//! Each `OTEL_EXPORTER_OTLP_…` of the table without a signal in its name has variants for one signal, `OTEL_EXPORTER_OTLP_TRACES_…`
//! and `OTEL_EXPORTER_OTLP_METRICS_…`, which win. Over HTTP, an endpoint for one signal is used unchanged.

mod answer;
mod attributes;
mod builder;
mod call_metrics;
mod choices;
mod control;
mod convert;
mod deltas;
mod described;
mod error;
mod exporter;
mod layer;
mod metrics;
mod proxy;
mod queue;
mod resource;
mod sampling;
mod semconv;
mod settings;
mod signal;
mod span;
mod target;
mod tls;
mod traces;
mod transport;
mod variables;
mod work;
mod worker;

pub use builder::{Otlp, OtlpBuilder, OtlpGuard};
pub use choices::{OtlpHistograms, OtlpProtocol, OtlpTemporality};
pub use error::OtlpError;
