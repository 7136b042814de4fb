//! The settings of the export, from the environment and the code.

use std::time::Duration;

use super::choices::{OtlpHistograms, OtlpTemporality};
use super::error::OtlpError;
use super::sampling::Sampling;
use super::signal::Signal;
use super::target::{GivenTarget, Target};
use super::variables::{Variables, refused};

const SECOND: Duration = Duration::from_secs(1);

/// The settings of traces.
#[derive(Clone, Debug)]
pub(super) struct SpanSettings {
    pub(super) target: Target,
    pub(super) sampling: Sampling,
    /// The maximum time that a span waits for a batch to fill.
    pub(super) delay: Duration,
    pub(super) queue: usize,
    pub(super) batch: usize,
}

/// The settings of metrics.
#[derive(Clone, Debug)]
pub(super) struct MetricSettings {
    pub(super) target: Target,
    pub(super) interval: Duration,
    pub(super) temporality: OtlpTemporality,
    /// `None` for the form that the process keeps.
    pub(super) histograms: Option<OtlpHistograms>,
}

/// The settings given to the builder. The environment overrides them.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) target: GivenTarget,
    pub(super) is_disabled: bool,
    pub(super) span_delay: Option<Duration>,
    pub(super) span_queue: Option<usize>,
    pub(super) span_batch: Option<usize>,
    pub(super) span_timeout: Option<Duration>,
    pub(super) metric_interval: Option<Duration>,
    pub(super) metric_timeout: Option<Duration>,
    pub(super) temporality: Option<OtlpTemporality>,
    pub(super) histograms: Option<OtlpHistograms>,
}

/// The settings of each signal; `None` if it is not exported.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) spans: Option<SpanSettings>,
    pub(super) metrics: Option<MetricSettings>,
}

impl Settings {
    /// Reads all variables, so that an invalid one is an error even if it has no effect.
    pub(super) fn read(variables: &Variables<'_>, given: &Given) -> Result<Self, OtlpError> {
        let is_disabled = variables.flag("OTEL_SDK_DISABLED", given.is_disabled)?;
        let spans = SpanSettings::read(variables, given)?;
        let metrics = MetricSettings::read(variables, given)?;
        let wants_spans = is_wanted(variables, "OTEL_TRACES_EXPORTER")? && !is_disabled;
        let wants_metrics = is_wanted(variables, "OTEL_METRICS_EXPORTER")? && !is_disabled;
        Ok(Self { spans: wants_spans.then_some(spans), metrics: wants_metrics.then_some(metrics) })
    }
}

impl SpanSettings {
    fn read(variables: &Variables<'_>, given: &Given) -> Result<Self, OtlpError> {
        let queue = variables.count("OTEL_BSP_MAX_QUEUE_SIZE", "span_queue", given.span_queue, 2_048)?;
        let name = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
        let batch = variables.count(name, "span_batch", given.span_batch, queue.min(512))?;
        if batch > queue {
            let setting = if variables.get(name).is_some() { name } else { "span_batch" };
            let expected = "at most OTEL_BSP_MAX_QUEUE_SIZE, 2048 when not set";
            return Err(refused(setting, &batch.to_string(), expected));
        }
        let (name, default) = ("OTEL_BSP_EXPORT_TIMEOUT", 30 * SECOND);
        let patience = variables.duration(name, "span_timeout", given.span_timeout, default)?;
        let (name, default) = ("OTEL_BSP_SCHEDULE_DELAY", 5 * SECOND);
        Ok(Self {
            target: Target::read(variables, Signal::Traces, &given.target, patience)?,
            sampling: Sampling::read(variables)?,
            delay: variables.duration(name, "span_delay", given.span_delay, default)?,
            queue,
            batch,
        })
    }
}

impl MetricSettings {
    fn read(variables: &Variables<'_>, given: &Given) -> Result<Self, OtlpError> {
        let (name, default) = ("OTEL_METRIC_EXPORT_TIMEOUT", 30 * SECOND);
        let patience = variables.duration(name, "metric_timeout", given.metric_timeout, default)?;
        let (name, default) = ("OTEL_METRIC_EXPORT_INTERVAL", 60 * SECOND);
        Ok(Self {
            target: Target::read(variables, Signal::Metrics, &given.target, patience)?,
            interval: variables.duration(name, "metric_interval", given.metric_interval, default)?,
            temporality: temporality(variables, given)?,
            histograms: histograms(variables, given)?,
        })
    }
}

fn temporality(variables: &Variables<'_>, given: &Given) -> Result<OtlpTemporality, OtlpError> {
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let default = given.temporality.unwrap_or_default();
    variables.read(name, default, "`cumulative`, `delta` or `lowmemory`", |value| {
        match &*value.to_ascii_lowercase() {
            "cumulative" => Some(OtlpTemporality::Cumulative),
            "delta" => Some(OtlpTemporality::Delta),
            "lowmemory" => Some(OtlpTemporality::LowMemory),
            _ => None,
        }
    })
}

pub(super) const HISTOGRAMS: &str = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION";
pub(super) const EXPONENTIAL: &str = "base2_exponential_bucket_histogram";

fn histograms(variables: &Variables<'_>, given: &Given) -> Result<Option<OtlpHistograms>, OtlpError> {
    let expected = "`explicit_bucket_histogram` or `base2_exponential_bucket_histogram`";
    variables.read(HISTOGRAMS, given.histograms, expected, |value| match &*value.to_ascii_lowercase() {
        "explicit_bucket_histogram" => Some(Some(OtlpHistograms::Explicit)),
        EXPONENTIAL => Some(Some(OtlpHistograms::Exponential)),
        _ => None,
    })
}

fn is_wanted(variables: &Variables<'_>, name: &str) -> Result<bool, OtlpError> {
    variables.read(name, true, "`otlp` or `none`", |value| match value {
        "otlp" => Some(true),
        "none" => Some(false),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn read_with(pairs: Pairs<'_>, given: &Given) -> Result<Settings, OtlpError> {
        let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        Settings::read(&Variables(&find), given)
    }

    /// The settings of a builder that was given this endpoint.
    fn at(endpoint: &str) -> Given {
        let mut given = Given::default();
        given.target.endpoint = Some(endpoint.to_owned());
        given
    }

    fn read(pairs: Pairs<'_>) -> Settings {
        read_with(pairs, &Given::default()).unwrap_or_else(|error| panic!("{pairs:?}: {error}"))
    }

    fn refused(name: &str, value: &str) -> String {
        read_with(&[(name, value)], &Given::default()).expect_err(name).to_string()
    }

    /// The URLs of both signals.
    fn urls(settings: &Settings) -> [&str; 2] {
        [&settings.spans.as_ref().unwrap().target.url, &settings.metrics.as_ref().unwrap().target.url]
    }

    #[test]
    fn without_any_variable_the_defaults_of_opentelemetry_hold() {
        let settings = read(&[]);
        assert_eq!(urls(&settings), ["http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"]);
        let (spans, metrics) = (settings.spans.unwrap(), settings.metrics.unwrap());
        assert_eq!((spans.queue, spans.batch, spans.delay), (2_048, 512, 5 * SECOND));
        assert_eq!((spans.target.timeout, spans.target.patience), (10 * SECOND, 30 * SECOND));
        assert_eq!((metrics.interval, metrics.target.patience), (60 * SECOND, 30 * SECOND));
    }

    #[test]
    fn only_the_common_endpoint_gets_the_path_of_a_signal() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1/base/");
        assert_eq!(urls(&read(&[all])), ["http://all:1/base/v1/traces", "http://all:1/base/v1/metrics"]);
        let own = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://own:2/push");
        assert_eq!(urls(&read(&[all, own])), ["http://all:1/base/v1/traces", "http://own:2/push"]);
    }

    #[test]
    fn the_path_of_a_signal_goes_before_the_query_of_the_endpoint() {
        for (endpoint, traces) in [
            ("http://all:1/otlp?key=abc", "http://all:1/otlp/v1/traces?key=abc"),
            ("http://all:1/otlp/?key=a/b?c", "http://all:1/otlp/v1/traces?key=a/b?c"),
            ("http://all:1?key=abc", "http://all:1/v1/traces?key=abc"),
        ] {
            assert_eq!(urls(&read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]))[0], traces);
            assert_eq!(urls(&read_with(&[], &at(endpoint)).unwrap())[0], traces);
            let own = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint)]);
            assert_eq!(urls(&own)[0], endpoint, "an endpoint of a signal was changed");
        }
    }

    #[test]
    fn a_fragment_is_refused_without_repeating_the_query() {
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] {
            let said = refused(name, "http://all:1/otlp#traces");
            assert!(said.starts_with(&format!("{name} is `http://all:1/otlp#traces`; expected")), "{said}");
            assert!(said.contains("without a fragment"), "{said}");
            let said = refused(name, "https://all:1/otlp?key=secret#x");
            assert!(said.starts_with(&format!("{name} is `https://all:1/otlp?…`; expected")), "{said}");
        }
    }

    #[test]
    fn variables_win_over_the_code() {
        let mut given = at("http://code:1");
        given.target.timeout = Some(SECOND);
        assert_eq!(urls(&read_with(&[], &given).unwrap())[0], "http://code:1/v1/traces");
        let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://set:2"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "7")];
        let settings = read_with(&set, &given).unwrap();
        assert_eq!(urls(&settings)[0], "http://set:2/v1/traces");
        assert_eq!(settings.spans.unwrap().target.timeout, Duration::from_millis(7));
    }

    #[test]
    fn a_variable_that_is_empty_counts_as_unset() {
        let empty = [("OTEL_BSP_MAX_QUEUE_SIZE", " "), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")];
        assert_eq!(urls(&read(&empty))[0], "http://localhost:4318/v1/traces");
    }

    #[test]
    fn every_bad_variable_is_refused_with_its_accepted_values() {
        for (name, value, expected) in [
            ("OTEL_SDK_DISABLED", "yes", "`true` or `false`"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "`otlp` or `none`"),
            ("OTEL_METRICS_EXPORTER", "prometheus", "`otlp` or `none`"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "a URL such as"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://collector:4318", "a URL such as"),
            ("OTEL_EXPORTER_OTLP_INSECURE", "yes", "`true` or `false`"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "whole milliseconds from 1 on"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0", "whole milliseconds from 1 on"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "`http/protobuf` or `grpc`"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "`gzip` or `none`"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                "sum",
                "`cumulative`, `delta` or `lowmemory`",
            ),
            (
                HISTOGRAMS,
                "exponential",
                "`explicit_bucket_histogram` or `base2_exponential_bucket_histogram`",
            ),
            ("OTEL_TRACES_SAMPLER", "sometimes", "`parentbased_traceidratio`"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.1", "a number from 0 to 1"),
            ("OTEL_TRACES_SAMPLER_ARG", "NaN", "a number from 0 to 1"),
            ("OTEL_BSP_SCHEDULE_DELAY", "-1", "whole milliseconds from 1 on"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "a whole number from 1 on"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "at most OTEL_BSP_MAX_QUEUE_SIZE"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "soon", "whole milliseconds from 1 on"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1.5", "whole milliseconds from 1 on"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "soon", "whole milliseconds from 1 on"),
        ] {
            let said = refused(name, value);
            assert!(said.starts_with(&format!("{name} is `{value}`; expected ")), "{said}");
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_refused_and_not_repeated() {
        for (given, shown) in [
            ("http://user:secret@collector:4318", "http://…@collector:4318"),
            ("user:secret@collector:4318", "…@collector:4318"),
        ] {
            let said = refused("OTEL_EXPORTER_OTLP_ENDPOINT", given);
            let expected = format!("OTEL_EXPORTER_OTLP_ENDPOINT is `{shown}`; expected a URL such as");
            assert!(said.starts_with(&expected) && !said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn a_host_with_a_port_that_is_none_is_refused() {
        let name = "OTEL_EXPORTER_OTLP_ENDPOINT";
        for given in ["http://collector:99999", "http://collector:4318x/otlp", "http://[::1]:-1"] {
            let said = refused(name, given);
            assert!(said.starts_with(&format!("{name} is `{given}`; expected a URL such as")), "{said}");
        }
        let said = refused(name, "http://user:se?cret@collector:4318");
        assert!(said.contains("`http://…@collector:4318`") && !said.contains("cret"), "{said}");
        for given in ["http://collector", "http://collector:4318", "http://[::1]", "http://[::1]:4318"] {
            assert_eq!(urls(&read(&[(name, given)]))[0], format!("{given}/v1/traces"));
        }
    }

    #[test]
    fn a_bad_variable_is_refused_though_nothing_is_exported() {
        let pairs = [("OTEL_SDK_DISABLED", "true"), ("OTEL_BSP_MAX_QUEUE_SIZE", "many")];
        assert!(read_with(&pairs, &Given::default()).is_err());
    }

    #[test]
    fn a_bad_header_is_refused_by_its_place_and_never_repeated() {
        let name = "OTEL_EXPORTER_OTLP_HEADERS";
        for (value, wrong) in [
            ("authorization secret", "member 1 has no `=`"),
            ("a=1, =secret", "member 2 has no key"),
            ("a=1,b=%ff-secret", "member 2 is no UTF-8 once it is decoded"),
            ("a b=secret", "member 1 is no header that can be sent"),
            ("a=secret%0A", "member 1 is no header that can be sent"),
            ("content-length=secret", "member 1 is no header that can be sent"),
        ] {
            let said = refused(name, value);
            assert!(said.starts_with(&format!("{name} cannot be read: {wrong};")), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn variables_override_the_choices_of_the_code() {
        let mut given = Given { temporality: Some(OtlpTemporality::Delta), ..Given::default() };
        given.histograms = Some(OtlpHistograms::Explicit);
        given.target.gzip = Some(true);
        let chosen = |settings: Settings| {
            let metrics = settings.metrics.unwrap();
            (metrics.temporality, metrics.histograms, metrics.target.is_gzipped)
        };
        let by_code = (OtlpTemporality::Delta, Some(OtlpHistograms::Explicit), true);
        assert_eq!(chosen(read_with(&[], &given).unwrap()), by_code);
        let set = [
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
            (HISTOGRAMS, EXPONENTIAL),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
        ];
        let by_variables = (OtlpTemporality::LowMemory, Some(OtlpHistograms::Exponential), false);
        assert_eq!(chosen(read_with(&set, &given).unwrap()), by_variables);
        assert!(read_with(&set, &given).unwrap().spans.unwrap().target.is_gzipped);
    }

    #[test]
    fn a_bad_setting_of_the_builder_is_refused_by_its_method() {
        let refused = |change: fn(&mut Given)| {
            let mut given = Given::default();
            change(&mut given);
            read_with(&[], &given).unwrap_err().to_string()
        };
        for (said, expected) in [
            (
                refused(|given| given.target.timeout = Some(Duration::ZERO)),
                "timeout is `0s`; expected a longer",
            ),
            (
                refused(|given| given.span_delay = Some(Duration::ZERO)),
                "span_delay is `0s`; expected a longer",
            ),
            (refused(|given| given.span_queue = Some(0)), "span_queue is `0`; expected a whole number"),
            (refused(|given| given.span_batch = Some(4_096)), "span_batch is `4096`; expected at most"),
            (
                refused(|given| given.target.headers = vec![("a b".to_owned(), "secret".to_owned())]),
                "header is `a b`; expected a name and a value",
            ),
        ] {
            assert!(said.starts_with(expected) && !said.contains("secret"), "{said}");
        }
    }

    #[cfg(feature = "otlp-grpc")]
    #[test]
    fn over_grpc_an_endpoint_is_a_host_for_both_signals() {
        let url = |pairs: &[_]| {
            let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
            let settings = read_with(&[&[grpc], pairs].concat(), &Given::default());
            settings.map(|settings| {
                let target = settings.spans.unwrap().target;
                assert_eq!(target.protocol, crate::otlp::OtlpProtocol::Grpc);
                target.url
            })
        };
        let at = |endpoint: &'static str| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "True");
        assert_eq!(url(&[]).unwrap(), "http://localhost:4317");
        assert_eq!(url(&[at("http://all:1/")]).unwrap(), "http://all:1/");
        assert_eq!(url(&[at("all:1"), insecure]).unwrap(), "http://all:1");
        assert_eq!(url(&[at("[::1]:1"), insecure]).unwrap(), "http://[::1]:1");
        for bad in
            ["http://all:1/otlp", "http://all:1?key=abc", "http://user:secret@all:1", "grpc://all:1", "all:x"]
        {
            let said = url(&[at(bad), insecure]).unwrap_err().to_string();
            assert!(said.contains("expected for `grpc` a URL such as") && !said.contains("secret"), "{said}");
        }
    }

    #[cfg(feature = "otlp-tls")]
    #[test]
    fn an_unusable_certificate_is_refused_even_without_tls() {
        let folder = std::env::temp_dir();
        let name = "OTEL_EXPORTER_OTLP_CERTIFICATE";
        let missing = folder.join("no such file.pem").display().to_string();
        let said = refused(name, &missing);
        assert!(said.starts_with(&format!("{name} is `{missing}`, which cannot be read: ")), "{said}");
        assert!(said.ends_with("; expected a PEM file with a certificate or a private key"), "{said}");
        let empty = std::env::current_exe().unwrap().with_extension("pem");
        std::fs::write(&empty, "nothing\n").unwrap();
        let empty = empty.display().to_string();
        assert!(refused(name, &empty).contains("which has no certificate"));
        for (one, other) in [("CERTIFICATE", "CLIENT_KEY"), ("KEY", "CLIENT_CERTIFICATE")] {
            let name = format!("OTEL_EXPORTER_OTLP_TRACES_CLIENT_{one}");
            let said = refused(&name, &empty);
            let expected = format!("in OTEL_EXPORTER_OTLP_{other} or the variable of the signal");
            assert!(said.starts_with(&format!("{name} is `")) && said.ends_with(&expected), "{said}");
        }
    }

    #[cfg(feature = "otlp-tls")]
    #[test]
    fn an_endpoint_is_tls_by_its_scheme_and_over_grpc_without_one() {
        let is_tls = |pairs: &[_]| read(pairs).spans.unwrap().target.tls.is_some();
        assert!(is_tls(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all:1")]));
        assert!(!is_tls(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1")]));
        if cfg!(feature = "otlp-grpc") {
            let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
            assert!(is_tls(&[grpc, ("OTEL_EXPORTER_OTLP_ENDPOINT", "all:1")]));
        }
    }

    #[cfg(not(feature = "otlp-grpc"))]
    #[test]
    fn without_the_feature_grpc_is_refused_by_its_name() {
        let said = refused("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc");
        assert!(said.starts_with("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL is `grpc`; expected "), "{said}");
        assert!(said.contains("has the feature `otlp-grpc`"), "{said}");
    }

    #[cfg(not(feature = "otlp-tls"))]
    #[test]
    fn without_the_feature_tls_is_refused_by_its_name() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://all:1/v1/traces"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ] {
            assert!(refused(name, value).contains("has the feature `otlp-tls`"));
        }
    }
}
