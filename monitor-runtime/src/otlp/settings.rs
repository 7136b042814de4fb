//! The settings of the export, from the environment and the code.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::error::OtlpError;
use super::sampling::Sampling;
use super::signal::Signal;
use super::variables::{Variables, refused};
use crate::address::{below, has_fragment, without_secrets};

const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
const SECOND: Duration = Duration::from_secs(1);

/// The destination of a signal.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The timeout of one request.
    pub(super) timeout: Duration,
    /// The deadline of a batch, with all retries and pauses.
    pub(super) patience: Duration,
}

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
}

/// The settings given to the builder. The environment overrides them.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) endpoint: Option<String>,
    pub(super) timeout: Option<Duration>,
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
        let is_disabled = variables.flag("OTEL_SDK_DISABLED")?;
        let spans = SpanSettings::read(variables, given)?;
        let metrics = MetricSettings::read(variables, given)?;
        let wants_spans = is_wanted(variables, "OTEL_TRACES_EXPORTER")? && !is_disabled;
        let wants_metrics = is_wanted(variables, "OTEL_METRICS_EXPORTER")? && !is_disabled;
        Ok(Self { spans: wants_spans.then_some(spans), metrics: wants_metrics.then_some(metrics) })
    }
}

impl SpanSettings {
    fn read(variables: &Variables<'_>, given: &Given) -> Result<Self, OtlpError> {
        let queue = variables.count("OTEL_BSP_MAX_QUEUE_SIZE", 2_048)?;
        let batch = variables.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", queue.min(512))?;
        if batch > queue {
            let expected = "at most OTEL_BSP_MAX_QUEUE_SIZE, 2048 when not set";
            return Err(refused("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &batch.to_string(), expected));
        }
        let patience = variables.millis("OTEL_BSP_EXPORT_TIMEOUT", 30 * SECOND)?;
        Ok(Self {
            target: Target::read(variables, Signal::Traces, given, patience)?,
            sampling: Sampling::read(variables)?,
            delay: variables.millis("OTEL_BSP_SCHEDULE_DELAY", 5 * SECOND)?,
            queue,
            batch,
        })
    }
}

impl MetricSettings {
    fn read(variables: &Variables<'_>, given: &Given) -> Result<Self, OtlpError> {
        let patience = variables.millis("OTEL_METRIC_EXPORT_TIMEOUT", 30 * SECOND)?;
        variables.read(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            (),
            "`cumulative`, the only temporality that is exported",
            |value| value.eq_ignore_ascii_case("cumulative").then_some(()),
        )?;
        Ok(Self {
            target: Target::read(variables, Signal::Metrics, given, patience)?,
            interval: variables.millis("OTEL_METRIC_EXPORT_INTERVAL", 60 * SECOND)?,
        })
    }
}

fn is_wanted(variables: &Variables<'_>, name: &str) -> Result<bool, OtlpError> {
    variables.read(name, true, "`otlp` or `none`", |value| match value {
        "otlp" => Some(true),
        "none" => Some(false),
        _ => None,
    })
}

impl Target {
    fn read(
        variables: &Variables<'_>,
        signal: Signal,
        given: &Given,
        patience: Duration,
    ) -> Result<Self, OtlpError> {
        for (setting, only, expected) in [
            ("PROTOCOL", "http/protobuf", "`http/protobuf`, the only protocol that is spoken"),
            ("COMPRESSION", "none", "`none`, since nothing is compressed"),
        ] {
            let is_only = |value: &str| (value == only).then_some(());
            variables.read(&variables.name_for(signal, setting), (), expected, is_only)?;
        }
        let timeout = given.timeout.unwrap_or(10 * SECOND);
        Ok(Self {
            url: url(variables, signal, given)?,
            headers: headers(variables, signal)?,
            timeout: variables.millis(&variables.name_for(signal, "TIMEOUT"), timeout)?,
            patience,
        })
    }
}

/// The URL of a signal: its own endpoint unchanged, or its path appended to the common endpoint.
fn url(variables: &Variables<'_>, signal: Signal, given: &Given) -> Result<String, OtlpError> {
    let name = variables.name_for(signal, "ENDPOINT");
    let is_own = name != "OTEL_EXPORTER_OTLP_ENDPOINT";
    let (name, value) = match (variables.get(&name), &given.endpoint) {
        (Some(value), _) => (&*name, value),
        (None, Some(value)) => ("endpoint", value.clone()),
        (None, None) => ("endpoint", DEFAULT_ENDPOINT.to_owned()),
    };
    let expected = "a URL such as `http://localhost:4318`, without a password, which goes into the headers, and without a fragment \
                    (`#…`), which is never sent; what speaks TLS is reached through a collector";
    if !is_http(&value) || has_fragment(&value) {
        return Err(refused(name, &without_secrets(&value), expected));
    }
    Ok(if is_own { value } else { below(&value, &format!("/v1/{}", signal.as_str())) })
}

fn is_http(url: &str) -> bool {
    let url = url.parse::<Uri>();
    url.is_ok_and(|url| {
        url.scheme_str() == Some("http")
            && url.authority().is_some_and(|place| is_host(place.as_str(), place.host()))
    })
}

/// Whether an authority is a host with an optional port. Without an `@`, a password could pass for a port.
fn is_host(authority: &str, host: &str) -> bool {
    let port = authority.strip_prefix(host).unwrap_or(authority);
    let is_port =
        matches!(port, "" | ":") || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    !host.is_empty() && is_port
}

fn headers(variables: &Variables<'_>, signal: Signal) -> Result<Vec<(HeaderName, HeaderValue)>, OtlpError> {
    let name = variables.name_for(signal, "HEADERS");
    let pairs = variables.pairs(&name)?.into_iter().enumerate();
    let read = pairs.map(|(at, (key, value))| {
        let header = key.parse().ok().zip(HeaderValue::from_str(&value).ok());
        let wrong = || format!("member {} is no header that can be sent", at + 1);
        header.ok_or_else(|| OtlpError::Pairs { variable: name.clone(), wrong: wrong() })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn read_with(pairs: Pairs<'_>, given: &Given) -> Result<Settings, OtlpError> {
        let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        Settings::read(&Variables(&find), given)
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
            let given = Given { endpoint: Some(endpoint.to_owned()), timeout: None };
            assert_eq!(urls(&read_with(&[], &given).unwrap())[0], traces);
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
        let given = Given { endpoint: Some("http://code:1".to_owned()), timeout: Some(SECOND) };
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
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "https://collector:4318",
                "what speaks TLS is reached through a collector",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "whole milliseconds from 1 on"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0", "whole milliseconds from 1 on"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "`http/protobuf`"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "`none`"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "`cumulative`"),
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
        ] {
            let said = refused(name, value);
            assert!(said.starts_with(&format!("{name} cannot be read: {wrong};")), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
