//! The destination of a signal, and the way to it.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::choices::OtlpProtocol;
use super::error::OtlpError;
use super::proxy::Proxy;
use super::signal::Signal;
use super::tls::{self, Tls, TlsFiles};
use super::variables::{Variables, refused};
use crate::address::{below, has_fragment, without_secrets};

const DEFAULT_HTTP: &str = "http://localhost:4318";
const DEFAULT_GRPC: &str = "http://localhost:4317";
const SECOND: Duration = Duration::from_secs(1);

/// The destination of a signal.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) protocol: OtlpProtocol,
    /// The address as it was given, with the signal's path.
    pub(super) url: String,
    /// The same, parsed: it has a scheme and a host, and for gRPC no path.
    pub(super) uri: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether requests are compressed by gzip.
    pub(super) is_gzipped: bool,
    /// `None` for a connection without TLS.
    pub(super) tls: Option<Tls>,
    pub(super) proxy: Option<Proxy>,
    /// The timeout of one request.
    pub(super) timeout: Duration,
    /// The deadline of a batch, with all retries and pauses.
    pub(super) patience: Duration,
}

/// The settings given to the builder for both signals. The environment overrides them.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenTarget {
    pub(super) endpoint: Option<String>,
    pub(super) protocol: Option<OtlpProtocol>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) gzip: Option<bool>,
    pub(super) insecure: Option<bool>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) client_certificate: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
    pub(super) timeout: Option<Duration>,
}

impl Target {
    pub(super) fn read(
        variables: &Variables<'_>,
        signal: Signal,
        given: &GivenTarget,
        patience: Duration,
    ) -> Result<Self, OtlpError> {
        let protocol = protocol(variables, signal, given)?;
        let Endpoint { setting, url, uri } = endpoint(variables, signal, given, protocol)?;
        let is_tls = uri.scheme_str() == Some("https");
        let shown = without_secrets(&url);
        if is_tls && !tls::IS_SUPPORTED {
            let expected = "`http://…`, unless `monitor-runtime` has the feature `otlp-tls`";
            return Err(refused(&setting, &shown, expected));
        }
        let timeout = variables.name_for(signal, "TIMEOUT");
        let host = uri.host().unwrap_or_default();
        Ok(Self {
            headers: headers(variables, signal, given)?,
            is_gzipped: is_gzipped(variables, signal, given)?,
            tls: Tls::read(&files(variables, signal, given), is_tls, protocol, &shown)?,
            proxy: Proxy::read(variables, is_tls, host, port(&uri))?,
            timeout: variables.duration(&timeout, "timeout", given.timeout, 10 * SECOND)?,
            protocol,
            url,
            uri,
            patience,
        })
    }
}

/// The port of an address, or its scheme's.
pub(super) fn port(uri: &Uri) -> u16 {
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    uri.port_u16().unwrap_or(default)
}

fn protocol(
    variables: &Variables<'_>,
    signal: Signal,
    given: &GivenTarget,
) -> Result<OtlpProtocol, OtlpError> {
    const EXPECTED: &str = "`http/protobuf` or `grpc`";
    let name = variables.name_for(signal, "PROTOCOL");
    let default = given.protocol.unwrap_or_default();
    let protocol = variables.read(&name, default, EXPECTED, |value| match value {
        "http/protobuf" => Some(OtlpProtocol::HttpProtobuf),
        "grpc" => Some(OtlpProtocol::Grpc),
        _ => None,
    })?;
    if protocol == OtlpProtocol::Grpc && !cfg!(feature = "otlp-grpc") {
        let setting = if variables.get(&name).is_some() { &*name } else { "protocol" };
        let expected = "`http/protobuf`, unless `monitor-runtime` has the feature `otlp-grpc`";
        return Err(refused(setting, "grpc", expected));
    }
    Ok(protocol)
}

fn is_gzipped(variables: &Variables<'_>, signal: Signal, given: &GivenTarget) -> Result<bool, OtlpError> {
    let name = variables.name_for(signal, "COMPRESSION");
    variables.read(&name, given.gzip.unwrap_or_default(), "`gzip` or `none`", |value| match value {
        "gzip" => Some(true),
        "none" => Some(false),
        _ => None,
    })
}

fn files(variables: &Variables<'_>, signal: Signal, given: &GivenTarget) -> TlsFiles {
    let file = |setting: &str, method: &str, given: &Option<PathBuf>| {
        let name = variables.name_for(signal, setting);
        match variables.get(&name) {
            Some(path) => Some((name, PathBuf::from(path))),
            None => given.clone().map(|path| (method.to_owned(), path)),
        }
    };
    TlsFiles {
        certificate: file("CERTIFICATE", "certificate", &given.certificate),
        client_certificate: file("CLIENT_CERTIFICATE", "client_identity", &given.client_certificate),
        client_key: file("CLIENT_KEY", "client_identity", &given.client_key),
    }
}

/// An address, and the setting that it is from.
struct Endpoint {
    setting: String,
    url: String,
    uri: Uri,
}

fn endpoint(
    variables: &Variables<'_>,
    signal: Signal,
    given: &GivenTarget,
    protocol: OtlpProtocol,
) -> Result<Endpoint, OtlpError> {
    // Read for either protocol, so that a bad value is always an error.
    let insecure = variables.name_for(signal, "INSECURE");
    let is_insecure = variables.flag(&insecure, given.insecure.unwrap_or_default())?;
    let name = variables.name_for(signal, "ENDPOINT");
    let is_own = name != "OTEL_EXPORTER_OTLP_ENDPOINT";
    let (setting, value) = match (variables.get(&name), &given.endpoint) {
        (Some(value), _) => (name, value),
        (None, Some(value)) => ("endpoint".to_owned(), value.clone()),
        (None, None) if protocol == OtlpProtocol::Grpc => ("endpoint".to_owned(), DEFAULT_GRPC.to_owned()),
        (None, None) => ("endpoint".to_owned(), DEFAULT_HTTP.to_owned()),
    };
    let (url, expected) = match protocol {
        OtlpProtocol::HttpProtobuf => (http_url(&value, signal, is_own), HTTP_EXPECTED),
        OtlpProtocol::Grpc => (grpc_url(&value, is_insecure), GRPC_EXPECTED),
    };
    let (url, uri) = url.ok_or_else(|| refused(&setting, &without_secrets(&value), expected))?;
    Ok(Endpoint { setting, url, uri })
}

const HTTP_EXPECTED: &str = "a URL such as `http://localhost:4318` or `https://otlp.example.com/otlp`, without a password, which goes \
                             into the headers, and without a fragment (`#…`), which is never sent";
const GRPC_EXPECTED: &str = "for `grpc` a URL such as `http://localhost:4317` or `https://otlp.example.com`, or a host with its port, \
                             without a password, a path, a query or a fragment";

/// The signal's own endpoint unchanged, or its path below the one for all.
fn http_url(value: &str, signal: Signal, is_own: bool) -> Option<(String, Uri)> {
    checked(value)?;
    let url = if is_own { value.to_owned() } else { below(value, &format!("/v1/{}", signal.as_str())) };
    let uri = url.parse().ok()?;
    Some((url, uri))
}

/// A host for gRPC, which has no path. Without a scheme the connection is TLS, unless `is_insecure`.
fn grpc_url(value: &str, is_insecure: bool) -> Option<(String, Uri)> {
    let scheme = if is_insecure { "http" } else { "https" };
    let url = if value.contains("://") { value.to_owned() } else { format!("{scheme}://{value}") };
    let uri = checked(&url)?;
    let has_path = uri.path_and_query().is_some_and(|path| path.as_str() != "/");
    (!has_path).then_some((url, uri))
}

fn checked(value: &str) -> Option<Uri> {
    let uri = value.parse::<Uri>().ok()?;
    let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_place = uri.authority().is_some_and(|place| is_host(place.as_str(), place.host()));
    (is_known && is_place && !has_fragment(value)).then_some(uri)
}

/// Whether an authority is a host, with or without a port. Without an `@`, a password may be taken for a port.
fn is_host(authority: &str, host: &str) -> bool {
    let port = authority.strip_prefix(host).unwrap_or(authority);
    let is_port =
        matches!(port, "" | ":") || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    !host.is_empty() && is_port
}

/// Whether a header frames the message or governs the connection: any value but the transport's breaks it.
fn is_framing(name: &HeaderName) -> bool {
    const NAMES: [&str; 7] =
        ["connection", "content-encoding", "content-length", "te", "trailer", "transfer-encoding", "upgrade"];
    NAMES.contains(&name.as_str())
}

fn headers(
    variables: &Variables<'_>,
    signal: Signal,
    given: &GivenTarget,
) -> Result<Vec<(HeaderName, HeaderValue)>, OtlpError> {
    let name = variables.name_for(signal, "HEADERS");
    let parsed = |key: &str, value: &str| {
        let key = key.parse().ok().filter(|key| !is_framing(key))?;
        let mut value = HeaderValue::from_str(value).ok()?;
        // Most values are secrets.
        value.set_sensitive(true);
        Some((key, value))
    };
    if variables.get(&name).is_none() {
        let read = given.headers.iter().map(|(key, value)| {
            // The value is not repeated, since it may be a secret.
            parsed(key, value).ok_or_else(|| refused("header", key, "a name and a value that HTTP can send"))
        });
        return read.collect();
    }
    let pairs = variables.pairs(&name)?.into_iter().enumerate();
    let read = pairs.map(|(at, (key, value))| {
        let wrong = || format!("member {} is no header that can be sent", at + 1);
        parsed(&key, &value).ok_or_else(|| OtlpError::Pairs { variable: name.clone(), wrong: wrong() })
    });
    read.collect()
}
